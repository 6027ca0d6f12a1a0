-- Reads a living session and its account's facts.
--
-- KEYS  1 facts  2 session
-- ARGV  1 generation  2 now  3 i: the facts must hold identities, as an earlier release's do not
-- Answers {session record, facts as field, value, …}, or nil.
-- Invariant: changes nothing, but that a session seen over stays over.
--@include records
--@include facts

local session = living_session(KEYS[2], ARGV[2])
if not session or session[S.GENERATION] ~= ARGV[1] then
  return false
end
if barred(read_facts(KEYS[1], '', 3), session[S.CREATED]) then
  return false
end
return { session, redis.call('HGETALL', KEYS[1]) }
