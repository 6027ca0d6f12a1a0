-- Facts of an account: a hash of v (version), sub, d (disabled: 1 or 0), nb (not before), c (claims
-- as JSON), i (identities as JSON: upstream → subject; missing in records of earlier releases) and
-- k:<client_id> (scopes the person has agreed to). Beside them are parts, which have times of their
-- own: g:<guild_id> (the standing in a guild) and gl (the list of guilds), each <read_at>|<JSON>.
--
-- Invariant: a version is never replaced by the same or an older one, so a marker (disabled, not
-- before) that has been put is not undone by a process that read SQL earlier. A part is never
-- replaced by one that was read no later; none outlives the identities that it was read of.

-- Returns {v, sub, d, nb, c, consent, …} with the fields that ARGV names from [first] on, or nil:
-- where there are none, and where the first of those fields, the identities, is missing.
local function read_facts(key, client, first)
  local facts = redis.call('HMGET', key, 'v', 'sub', 'd', 'nb', 'c', 'k:' .. client,
    unpack(ARGV, first or #ARGV + 1))
  return facts[1] and facts[7] ~= false and facts or nil
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
