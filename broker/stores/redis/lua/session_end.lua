-- Ends a session, its unspent codes and its grants that are not offline.
--
-- KEYS  1 index  2 session
-- ARGV  1 sid  2 whether to mark the ending (1 or 0)
-- Answers {grant_id, client_id, …} of the grants that were alive.
-- Invariant: works from the index, so it is complete even when the session itself is gone; notices
-- for its clients are written in the same step, for those with offline grants at its first end.
--@include records
--@include index
--@include ending
--@include notices
--@include sessions

local ended = {}
end_session(KEYS[1], ARGV[1], ended)
mark_ending(ARGV[2])
return ended
