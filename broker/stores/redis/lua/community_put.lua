-- Puts what was read of communities, each part unless one read as late is there.
--
-- KEYS  1 facts
-- ARGV  1… parts as field, value, …
-- Answers 1.
-- Invariant: the time of each part only grows; the facts beside them stay as they are. Parts may
-- come before their facts do.
--@include facts_put

put_parts(KEYS[1], ARGV)
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], FACTS_KEPT * 1000)
end
return 1
