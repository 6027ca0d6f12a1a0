-- Counts attempts within a window that begins with the first of them.
--
-- KEYS  1 counter
-- ARGV  1 seconds of the window  2 how many to add (below 0: to take back)
-- Answers {count, milliseconds left of the window}.
-- Invariant: a counter always ends with its window, and never goes below 0.

local left = redis.call('PTTL', KEYS[1])
local count = redis.call('INCRBY', KEYS[1], ARGV[2])
if count <= 0 then
  redis.call('DEL', KEYS[1])
  return { 0, 0 }
end
if left < 0 then
  left = ARGV[1] * 1000
  redis.call('PEXPIRE', KEYS[1], left)
end
return { count, left }
