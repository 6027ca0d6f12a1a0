-- Takes notices that are due: counts the try, and puts their next one off by a lease.
--
-- KEYS  1 notices
-- ARGV  1 how many at the most  2 lease in milliseconds
-- Answers {now, wait, field, value, …}: the server's time in milliseconds, the milliseconds until
-- the next of those not taken is due ('' for none left at all), and the taken ones as they are now.
-- Invariant: of any number of takers one gets a notice, until its lease runs out.
--@include records
--@include notices

local now = server_time()
local found, wait = {}, math.huge
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local made, tries, at, sub = string.match(all[i + 1], '^(%d+)|(%d+)|(%d+)|(.*)$')
  local left = tonumber(at) - now
  if left <= 0 and #found < 2 * ARGV[1] then
    left = tonumber(ARGV[2])
    local value = string.format('%s|%d|%.0f|%s', made, tries + 1, now + left, sub)
    redis.call('HSET', KEYS[1], all[i], value)
    found[#found + 1] = all[i]
    found[#found + 1] = value
  end
  wait = math.min(wait, math.max(left, 0))
end
local answer = { string.format('%.0f', now), #all > 0 and string.format('%.0f', wait) or '' }
for _, each in ipairs(found) do
  answer[#answer + 1] = each
end
return answer
