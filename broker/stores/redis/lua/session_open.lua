-- Puts facts, then writes a session.
--
-- KEYS  1 facts  2 index  3 session
-- ARGV  1 sid  2 generation  3 created_at  4 auth_time  5 expires_at  6 upstream  7 device
--       8 now  9 idle seconds  10 index cap  11… facts as field, value, …
-- Answers 1, or 0 when the account is switched off or signed out since, or the session already has
-- a later generation.
-- Invariant: the generation of a session never goes down, so an older cookie stays dead.
--@include records
--@include facts
--@include facts_put
--@include index

put_facts(KEYS[1], 11)
local facts = read_facts(KEYS[1], '')
local nb = tonumber(facts[4])
if facts[3] == '1' or nb >= tonumber(ARGV[8]) or nb >= tonumber(ARGV[3]) then
  return 0
end
local now = ARGV[8]
local former = read(KEYS[3])
if former then
  if tonumber(former[S.GENERATION]) > tonumber(ARGV[2]) then
    return 0
  end
  now = later(now, former[S.SEEN])
end
local idle = until_at_most(now, ARGV[9], ARGV[5])
write(KEYS[3], { ARGV[2], ARGV[3], ARGV[4], ARGV[5], idle, now, ARGV[6], ARGV[7] },
  math.max(idle - ARGV[8], 0) + SLACK)
local left = math.max(ARGV[5] - ARGV[8], 0)
prolong(KEYS[1], left + SLACK)
enter(KEYS[2], 's:' .. ARGV[1], tonumber(ARGV[5]), tonumber(ARGV[8]), tonumber(ARGV[10]))
return 1
