-- Ends all that lives of a deleted account, and forgets its facts.
--
-- KEYS  1 facts  2 index
-- ARGV  1 now  2 seconds for which the mark is kept  3 whether to mark the ending (1 or 0)
-- Answers {grant_id, client_id, …} of the grants that were alive.
-- Invariant: nothing of the person is left but notices to clients, which end by themselves. For a
-- while a mark without anything of theirs stands in place of the facts: an account that is switched
-- off, with a version that none exceeds. So a process that has read SQL before puts nothing back.
--@include records
--@include index
--@include ending
--@include notices
--@include accounts

local LAST = '9007199254740991' -- the highest whole number that Lua knows for certain

local ended = end_members(KEYS[1], KEYS[2], function() return false end)
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'v', LAST, 'sub', '', 'd', '1', 'nb', ARGV[1], 'c', '{}', 'i', '{}')
redis.call('EXPIRE', KEYS[1], ARGV[2])
mark_ending(ARGV[3])
return ended
