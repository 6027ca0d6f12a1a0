-- Ends a grant for its client (RFC 7009 §2.1).
--
-- KEYS  1 index  2 grant
-- ARGV  1 grant_id  2 client_id  3 whether to mark the ending (1 or 0)
-- Answers 1 when it is gone, 0 when it is another client's.
-- Invariant: idempotent; another client's grant is untouched. A session opened for the grant alone
-- ends in the same step.
--@include records
--@include index
--@include facts
--@include grants
--@include ending

local grant = read(KEYS[2])
if grant then
  if grant[G.CLIENT] ~= ARGV[2] then
    return 0
  end
  end_grant(KEYS[1], KEYS[2], ARGV[1], grant)
end
mark_ending(ARGV[3])
return 1
