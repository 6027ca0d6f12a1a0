-- Closes the open trip upstream of a pending request, if it is this one.
--
-- KEYS  1 request
-- ARGV  1 attempt
-- Answers the record as it was, or nil.
-- Invariant: of any number of callbacks that name a trip exactly one gets the record.
--
-- The record is 'attempt|verifier|JSON': what a trip needs goes when the trip is closed.

local raw = redis.call('GET', KEYS[1])
if not raw then
  return false
end
local attempt, rest = string.match(raw, '^([^|]*)|[^|]*|(.*)$')
if attempt == '' or attempt ~= ARGV[1] then
  return false
end
redis.call('SET', KEYS[1], '||' .. rest, 'KEEPTTL')
return raw
