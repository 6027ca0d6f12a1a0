-- Takes the turn at reading an account's communities anew.
--
-- KEYS  1 turn  2 facts
-- ARGV  1 holder  2 now  3 seconds
-- Answers {'mine', when it ends, facts as field, value, …}, or {'other' or 'rest', when it ends}.
-- Invariant: until it ends or is given back a turn is one holder's.
--
-- The record is 'holder|end', in the callers' clock; without a holder it is nobody's until then.

local raw = redis.call('GET', KEYS[1])
if raw then
  local holder, ends = string.match(raw, '^([^|]*)|(.+)$')
  if tonumber(ends) > tonumber(ARGV[2]) then
    return { holder == '' and 'rest' or 'other', ends }
  end
end
local ends = string.format('%.3f', ARGV[2] + ARGV[3])
redis.call('SET', KEYS[1], ARGV[1] .. '|' .. ends, 'PX', math.ceil(ARGV[3] * 1000))
return { 'mine', ends, redis.call('HGETALL', KEYS[2]) }
