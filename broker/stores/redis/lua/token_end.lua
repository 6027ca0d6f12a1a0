-- Ends one access token before its time, where no grant of its client can be ended instead.
--
-- KEYS  1 the token
-- ARGV  1 milliseconds it would have lived
-- Answers 1.
-- Invariant: idempotent; whoever looks at the token in one step with its grant sees it.

redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1
