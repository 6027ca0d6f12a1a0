-- Sets when a notice is tried again, if it is still the taker's.
--
-- KEYS  1 notices
-- ARGV  1 field  2 value as it was taken  3 milliseconds until the next try  4 whether this try
--       counts (1 or 0)
-- Answers 1, or 0 when it is gone or another's by now.
-- Invariant: a notice that is done is never brought back.
--@include records
--@include notices

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
local made, tries, sub = string.match(ARGV[2], '^(%d+)|(%d+)|%d+|(.*)$')
local counted = ARGV[4] == '1' and tries or tries - 1
local value = string.format('%s|%d|%.0f|%s', made, counted, server_time() + ARGV[3], sub)
redis.call('HSET', KEYS[1], ARGV[1], value)
return 1
