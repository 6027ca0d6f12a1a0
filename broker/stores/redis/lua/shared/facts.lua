-- Facts of an account: a hash of v (version), sub, d (disabled: 1 or 0), nb (not before), c (claims
-- as JSON) and k:<client_id> (scopes the person has agreed to).
--
-- Invariant: a version is never replaced by the same or an older one, so a marker (disabled, not
-- before) that has been put is not undone by a process that read SQL earlier.

local FACTS_KEPT = 604800 -- seconds; sessions and grants prolong it to their own end

-- Puts facts given as field, value, … from ARGV[first] on; says whether they were newer.
local function put_facts(key, first)
  local known = redis.call('HGET', key, 'v')
  if known and tonumber(known) >= tonumber(ARGV[first + 1]) then
    return false
  end
  local left = redis.call('PTTL', key)
  redis.call('DEL', key)
  redis.call('HSET', key, unpack(ARGV, first))
  redis.call('PEXPIRE', key, math.max(left, FACTS_KEPT * 1000))
  return true
end

-- Returns {v, sub, d, nb, c, consent}, or nil where there are none.
local function read_facts(key, client)
  local facts = redis.call('HMGET', key, 'v', 'sub', 'd', 'nb', 'c', 'k:' .. client)
  return facts[1] and facts
end

-- Why what was begun at a moment may not go on for this account; nil when it may.
local function barred(facts, begun)
  if not facts then
    return 'no_facts'
  end
  if facts[3] == '1' then
    return 'disabled'
  end
  if tonumber(facts[4]) >= tonumber(begun) then
    return 'no_session'
  end
  return nil
end
