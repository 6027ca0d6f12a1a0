-- Puts facts unless newer ones are there.
--
-- KEYS  1 facts
-- ARGV  1… facts as field, value, …
-- Answers 1 when they were put, 0 when they were not newer (their parts may be, and were put then).
-- Invariant: the version of an account's facts only grows, as does the time of each part.
--@include facts_put

return put_facts(KEYS[1], 1) and 1 or 0
