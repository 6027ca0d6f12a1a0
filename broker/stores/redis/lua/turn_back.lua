-- Gives the turn at reading an account's communities back.
--
-- KEYS  1 turn
-- ARGV  1 holder  2 now  3 seconds for which it is nobody's, or 0
-- Answers nothing.
-- Invariant: a turn that is another's by now stays so.

local raw = redis.call('GET', KEYS[1])
if not raw or string.match(raw, '^([^|]*)|') ~= ARGV[1] then
  return
end
if tonumber(ARGV[3]) > 0 then
  local ends = string.format('%.3f', ARGV[2] + ARGV[3])
  redis.call('SET', KEYS[1], '|' .. ends, 'PX', math.ceil(ARGV[3] * 1000))
else
  redis.call('DEL', KEYS[1])
end
