-- Hands out accounts whose notices are due, the longest waiting first, and puts their next look
-- off by a lease: should the taker die, another gets them.
--
-- KEYS  1 due  2 intents
-- ARGV  1 how many at the most  2 lease in milliseconds
-- Answers {account_id, intent, …}; the intent is '' where none is on record.
-- Invariant: an account that is handed out stays entered.

local read = redis.call('TIME')
local now = read[1] * 1000 + math.floor(read[2] / 1000)
local found = {}
for _, account in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
  redis.call('ZADD', KEYS[1], now + ARGV[2], account)
  found[#found + 1] = account
  found[#found + 1] = redis.call('ZSCORE', KEYS[2], account) or ''
end
return found
