-- Puts facts that carry an ending, and ends the account's sessions, codes and grants.
--
-- KEYS  1 facts  2 index
-- ARGV  1 whether to mark the ending (1 or 0)  2 whether what was begun since stays (1 or '')
--       3… facts as field, value, …
-- Answers {grant_id, client_id, …} of the grants that were alive.
-- Invariant: newer facts end everything, unless ARGV 2 says that they tell of a past moment. Then,
-- and where they are the same or older ones (the outbox delivers at least once), they end what was
-- begun up to their not-before: of a withdrawn authorization, so what was read of communities up to
-- it is forgotten. A code or grant was begun with the sign-in that it came of.
-- Every client that took part in a session ended here gets a notice in the same step.
--@include records
--@include facts_put
--@include index
--@include grants
--@include ending
--@include notices
--@include accounts

local fresh = put_facts(KEYS[1], 3)
local disabled, not_before = redis.call('HGET', KEYS[1], 'd') == '1', 0
for i = 3, #ARGV, 2 do
  if ARGV[i] == 'nb' then
    not_before = tonumber(ARGV[i + 1])
  end
end

if ARGV[2] == '1' then
  drop_parts(KEYS[1], not_before)
end

local BEGUN = { s = S.CREATED, p = S.CREATED, c = C.BEGUN, g = G.BEGUN }

-- Whether a member was begun after the moment that these facts end things up to.
local function since(kind, id)
  if disabled or (fresh and ARGV[2] ~= '1') then
    return false
  end
  local record = read(base .. (KINDS[kind] or 'session:') .. id)
  return record and tonumber(record[BEGUN[kind]]) > not_before
end

local ended = end_members(KEYS[1], KEYS[2], since)
mark_ending(ARGV[1])
return ended
