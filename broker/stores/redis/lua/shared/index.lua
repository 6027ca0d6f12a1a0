-- The index of an account: a sorted set by absolute end. Its members name what is alive:
--   s:<sid>   c:<code_id>:<sid>   g:<grant_id>:<sid>:<offline, 1 or 0>:<client_id>
-- so that a session's codes and grants are found without reading them; and, as long as the session,
--   p:<sid>:<client_id>, a client that took part in it and has lost a grant since.
--
-- Invariant: nothing alive is missing from it. What falls out (over the cap, or expired) is
-- deleted with its member. The tombstone of a spent code is not in it: it opens nothing.

local KINDS = { s = 'session:', c = 'code:', g = 'grant:' }
local SWEPT_AFTER = 60 -- seconds beyond its end after which a member is dropped

-- Deletes what a member names; says whether it was still there.
local function drop(index, member)
  local kind, id = string.match(member, '^(%a):([^:]+)')
  redis.call('ZREM', index, member)
  return kind ~= 'p' and redis.call('DEL', base .. KINDS[kind] .. id) == 1
end

local function grant_member(id, sid, offline, client)
  return 'g:' .. id .. ':' .. sid .. ':' .. offline .. ':' .. client
end

-- Enters a member, drops some that are long over, and keeps the index within its cap: those
-- nearest to their end go first, but never this one nor the session it is made in.
local function enter(index, member, expires, now, cap, session_member)
  redis.call('ZADD', index, expires, member)
  prolong(index, expires - now + SLACK)
  local old = redis.call('ZRANGEBYSCORE', index, '-inf', now - SWEPT_AFTER, 'LIMIT', 0, 16)
  for _, each in ipairs(old) do
    drop(index, each)
  end
  local over = redis.call('ZCARD', index) - cap
  if over <= 0 then
    return
  end
  for _, each in ipairs(redis.call('ZRANGE', index, 0, over + 1)) do
    if over > 0 and each ~= member and each ~= session_member then
      drop(index, each)
      over = over - 1
    end
  end
end
