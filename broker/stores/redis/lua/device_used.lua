-- Notes that the tokens of an approved device were made.
--
-- KEYS  1 device
-- ARGV  none
-- Answers 1 when it is used now, else 0.
-- Invariant: only what was approved becomes used, and stays so.
--@include records
--@include devices

local device = read(KEYS[1])
if not device or device[D.STATE] ~= 'approved' then
  return 0
end
device[D.STATE] = 'used'
amend(KEYS[1], device)
return 1
