-- Takes a person's decision about a device that waits (RFC 8628 §3.3).
--
-- KEYS  1 device
-- ARGV  1 'approved' or 'denied'  2 now  3 account_id or ''  4 code_id or ''  5 grant_id or ''
-- Answers 1 when the device now is as decided, 0 when it was not waiting any more.
-- Invariant: of any number of decisions the first counts. The same account approving once more (its
-- answer was lost) is told 1, and the first approval stays.
--@include records
--@include devices

local device = read(KEYS[1])
if not device then
  return 0
end
if device[D.STATE] ~= 'waiting' then
  local again = device[D.STATE] == ARGV[1] and device[D.ACCOUNT] == ARGV[3]
  return again and 1 or 0
end
local now = later(ARGV[2], device[D.SEEN])
device[D.SEEN] = now
if tonumber(now) >= tonumber(device[D.EXPIRES]) then
  amend(KEYS[1], device)
  return 0
end
device[D.STATE] = ARGV[1]
device[D.ACCOUNT], device[D.CODE], device[D.GRANT] = ARGV[3], ARGV[4], ARGV[5]
amend(KEYS[1], device)
return 1
