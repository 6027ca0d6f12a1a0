-- Puts facts that carry an ending, and ends the account's sessions, codes and grants.
--
-- KEYS  1 facts  2 index
-- ARGV  1 whether to mark the ending (1 or 0)  2… facts as field, value, …
-- Answers {grant_id, client_id, …} of the grants that were alive.
-- Invariant: newer facts end everything. The same or older ones (the outbox delivers at least
-- once) end what was begun up to their not-before, and leave those who signed in since alone.
-- Every client that took part in a session ended here gets a notice in the same step.
--@include records
--@include facts_put
--@include index
--@include grants
--@include ending
--@include notices

local fresh = put_facts(KEYS[1], 2)
local disabled, not_before = redis.call('HGET', KEYS[1], 'd') == '1', 0
for i = 2, #ARGV, 2 do
  if ARGV[i] == 'nb' then
    not_before = tonumber(ARGV[i + 1])
  end
end

-- Whether a member was begun after the moment that these facts end things up to.
local function since(kind, id)
  if fresh or disabled or kind == 'c' then
    return false
  end
  local grant = kind == 'g'
  local record = read(base .. (grant and 'grant:' or 'session:') .. id)
  return record and tonumber(record[grant and G.CREATED or S.CREATED]) > not_before
end

local sub = redis.call('HGET', KEYS[1], 'sub')
local ended = {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local kind, id = string.match(member, '^(%a):([^:]+)')
  if not since(kind, id) then
    local alive = drop(KEYS[2], member)
    if kind == 'p' then
      notice(id, string.match(member, '^p:[^:]+:(.*)$'), sub)
    elseif kind == 'g' then
      local sid, client = string.match(member, '^g:[^:]+:([^:]+):[01]:(.*)$')
      notice(sid, client, sub)
      if alive then
        ended[#ended + 1] = id
        ended[#ended + 1] = client
      end
    end
  end
end
mark_ending(ARGV[1])
return ended
