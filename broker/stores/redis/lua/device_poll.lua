-- Judges a device's poll (RFC 8628 §3.5).
--
-- KEYS  1 device
-- ARGV  1 client_id  2 now  3 step: seconds that a hasty poll adds, and that an approval is held
-- Answers {'approved', account_id, code_id, grant_id}, or {verdict}.
-- Checks in this order: known → client → used → denied → unexpired → pace → decided.
-- Invariant: within any step seconds at most one poll is handed the approval.

local JITTER = 0.5 -- seconds by which a poll may arrive early: networks do not keep time
--@include records
--@include devices

local device = read(KEYS[1])
if not device then
  return { 'unknown' }
end
if device[D.CLIENT] ~= ARGV[1] then
  return { 'foreign' }
end
local state = device[D.STATE]
if state == 'used' or state == 'denied' then
  return { state }
end
local now = later(ARGV[2], device[D.SEEN])
local at, step = tonumber(now), tonumber(ARGV[3])
device[D.SEEN] = now
if at >= tonumber(device[D.EXPIRES]) then
  amend(KEYS[1], device)
  return { 'expired' }
end
-- What a person has decided is not kept from a hasty device; only another poll holds it up.
local approved = state == 'approved'
local last = approved and device[D.TAKEN] or device[D.POLLED]
local pause = approved and step or tonumber(device[D.INTERVAL])
local hasty = last ~= '' and at - tonumber(last) < pause - JITTER
if not approved then
  device[D.POLLED] = now
  if hasty then
    device[D.INTERVAL] = string.format('%.0f', pause + step)
  end
elseif not hasty then
  device[D.TAKEN] = now
end
amend(KEYS[1], device)
if hasty then
  return { 'too_fast' }
elseif approved then
  return { 'approved', device[D.ACCOUNT], device[D.CODE], device[D.GRANT] }
end
return { 'waiting' }
