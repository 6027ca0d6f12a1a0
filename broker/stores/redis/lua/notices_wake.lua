-- Enters an account among those whose notices are to be looked at.
--
-- KEYS  1 due  2 intents
-- ARGV  1 account_id  2 milliseconds until the look  3 whether an ending is about to write (1 or 0)
-- Answers 1.
-- Invariant: a look that is due earlier stays so.

local read = redis.call('TIME')
local now = read[1] * 1000 + math.floor(read[2] / 1000)
local at = now + ARGV[2]
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due or tonumber(due) > at then
  redis.call('ZADD', KEYS[1], at, ARGV[1])
end
if ARGV[3] == '1' then
  redis.call('ZADD', KEYS[2], now, ARGV[1])
end
return 1
