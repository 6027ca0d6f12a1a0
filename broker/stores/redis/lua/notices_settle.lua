-- Says when an account's notices are looked at next, after a look.
--
-- KEYS  1 due  2 intents
-- ARGV  1 account_id  2 intent as it was handed out  3 milliseconds until the next look, or '' when
--       there are no notices  4 milliseconds for which an ending may still be about to write
-- Answers 1.
-- Invariant: an account is forgotten only when it has no notices and nobody is about to write any:
-- an ending announces itself first and writes then, perhaps much later.

local intent = redis.call('ZSCORE', KEYS[2], ARGV[1]) or ''
if intent ~= ARGV[2] then
  return 1 -- announced since: the look it asked for stands
end
local read = redis.call('TIME')
local now = read[1] * 1000 + math.floor(read[2] / 1000)
local wait = tonumber(ARGV[3])
if intent ~= '' then
  local age = now - intent
  if age < tonumber(ARGV[4]) then
    wait = math.min(wait or math.huge, math.max(age, 500))
  else
    redis.call('ZREM', KEYS[2], ARGV[1])
  end
end
if wait then
  redis.call('ZADD', KEYS[1], now + wait, ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return 1
