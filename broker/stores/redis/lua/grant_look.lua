-- Reads a living grant and its account's facts.
--
-- KEYS  1 facts  2 grant  3 a token of the grant that may have been ended by itself, or none
-- ARGV  1 now  2 digest and  3 seconds of a DPoP proof, or '' each
--       4 whether it goes with its session though it is offline (1 or 0)
--       5… further fields of the facts to answer with, i the first of them, or none
-- Answers {'', grant, facts} or {reason}.
-- Invariant: changes nothing, but that a grant seen over stays over, and that a proof is used up by
-- the one look that answers with a grant.
--@include records
--@include facts
--@include index
--@include grants
--@include proofs

if KEYS[3] and redis.call('EXISTS', KEYS[3]) == 1 then
  return { 'revoked' }
end
local grant = read(KEYS[2])
if not grant then
  return { 'unknown' }
end
if used_up(ARGV[2]) then
  return { 'proof' }
end
local reason, _, facts = stopped(KEYS[2], grant, ARGV[1], KEYS[1], 5, ARGV[4])
if reason then
  return { reason }
end
use_up(ARGV[2], ARGV[3])
return { '', grant, facts }
