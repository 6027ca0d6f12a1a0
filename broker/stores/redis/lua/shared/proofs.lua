-- DPoP proofs (RFC 9449): each is used once, in the same step as what it is used for.
--
-- A proof is remembered under its account's tag, by a digest of its key and its jti. It is looked
-- for before anything else is judged, and written only where the step answers with something: so a
-- refused step may be tried again with the same proof (facts that were missing, for one).

-- Whether a proof's key is the one that something is bound to, if it is bound at all.
local function holds(bound, jkt)
  return not bound or bound == '' or bound == jkt
end

local function used_up(digest)
  return digest ~= '' and redis.call('EXISTS', base .. 'once:' .. digest) == 1
end

local function use_up(digest, seconds)
  if digest ~= '' then
    redis.call('SET', base .. 'once:' .. digest, '1', 'EX', seconds)
  end
end
