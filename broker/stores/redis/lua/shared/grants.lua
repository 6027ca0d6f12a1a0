-- Grants: the fields of a code's and of a grant's record. JKT (RFC 9449) and CLAIMS (a claims
-- request as JSON) are empty where there is none, and missing in records of earlier releases. BEGUN
-- is when the sign-in began that it came of; AUTH, when the person was seen to authenticate, is
-- missing where that is the same, and in records of earlier releases.

local C = {
  CLIENT = 1, REDIRECT = 2, CHALLENGE = 3, SID = 4, BEGUN = 5, SCOPE = 6, RESOURCES = 7, NONCE = 8,
  EXPIRES = 9, SEEN = 10, GRANT = 11, JKT = 12, CLAIMS = 13, AUTH = 14,
}
local G = {
  CLIENT = 1, SID = 2, OFFLINE = 3, SCOPE = 4, RESOURCES = 5, BEGUN = 6, CREATED = 7, EXPIRES = 8,
  IDLE = 9, SEEN = 10, GENERATION = 11, SPENT = 12, JKT = 13, CLAIMS = 14, AUTH = 15,
}

-- A session with the id of a grant was opened for that grant alone: no browser knows of it, so
-- nothing can come of it any more once that one is over.
local function end_own_session(index, id, sid)
  if sid == id then
    drop(index, 's:' .. sid)
  end
end

-- Ends a grant; its session remembers that the client took part, and tells it of its own end.
local function end_grant(index, key, id, grant)
  redis.call('DEL', key)
  leave(index, grant_member(id, grant[G.SID], grant[G.OFFLINE], grant[G.CLIENT]))
  end_own_session(index, id, grant[G.SID])
  local session_ends = redis.call('ZSCORE', index, 's:' .. grant[G.SID])
  if session_ends then
    redis.call('ZADD', index, session_ends, 'p:' .. grant[G.SID] .. ':' .. grant[G.CLIENT])
  end
end

-- Why a grant may not go on (expired → session or offline → account), and the latest time; or nil,
-- that time and the account's facts, with the fields that ARGV names from [first] on. Where bound
-- is 1 it goes with its session, offline or not: its client may have no more than that by now.
local function stopped(key, grant, now, facts_key, first, bound)
  now = later(now, grant[G.SEEN])
  local at = tonumber(now)
  if at >= tonumber(grant[G.EXPIRES]) or at >= tonumber(grant[G.IDLE]) then
    grant[G.SEEN] = now
    amend(key, grant)
    return 'expired', now
  end
  local goes_with = grant[G.OFFLINE] == '0' or bound == '1'
  if goes_with and not living_session(base .. 'session:' .. grant[G.SID], now) then
    return 'no_session', now
  end
  local facts = read_facts(facts_key, '', first)
  return barred(facts, grant[G.BEGUN]), now, facts
end
