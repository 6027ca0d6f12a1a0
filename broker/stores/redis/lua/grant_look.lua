-- Reads a living grant and its account's facts.
--
-- KEYS  1 facts  2 grant
-- ARGV  1 now
-- Answers {'', grant, facts} or {reason}.
-- Invariant: changes nothing, but that a grant seen over stays over.
--@include records
--@include facts
--@include index
--@include grants

local grant = read(KEYS[2])
if not grant then
  return { 'unknown' }
end
local reason, _, facts = stopped(KEYS[2], grant, ARGV[1], KEYS[1])
if reason then
  return { reason }
end
return { '', grant, facts }
