-- Puts facts, and ends what a client may do for an account: its unspent codes and its grants.
--
-- KEYS  1 facts  2 index
-- ARGV  1 client_id  2 the moment up to which it was withdrawn
--       3 whether the client stood on a consent (1 or '')  4 whether to mark the ending (1 or 0)
--       5… facts as field, value, …
-- Answers {grant_id, client_id, …} of the grants that were alive.
-- Invariant: where a consent was withdrawn and none was given since, nothing of the client is left.
-- Else what it began after the moment stays, so that repeating it, late too, ends nothing newer.
-- The client gets a notice for each of its sessions in the same step.
--@include records
--@include facts_put
--@include index
--@include grants
--@include ending
--@include notices

local newer = put_facts(KEYS[1], 5)
local agreed = redis.call('HEXISTS', KEYS[1], 'k:' .. ARGV[1]) == 1
local all = ARGV[3] == '1' and not agreed
local sub = redis.call('HGET', KEYS[1], 'sub')

-- Whether what a record tells of was begun before the withdrawal; what is gone counts as such.
local function before(key, begun)
  local record = not all and read(key)
  return not record or tonumber(record[begun]) <= tonumber(ARGV[2])
end

local ended = {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local kind, id, sid, _, client = parts_of(member)
  if kind == 'g' then
    if client == ARGV[1] and before(base .. 'grant:' .. id, G.CREATED) then
      notice(sid, client, sub)
      end_own_session(KEYS[2], id, sid)
      if drop(KEYS[2], member) then
        ended[#ended + 1] = id
        ended[#ended + 1] = client
      end
    end
  elseif kind == 'p' and client == ARGV[1] and newer then
    notice(sid, client, sub)
    drop(KEYS[2], member)
  elseif kind == 'c' then
    local code = read(base .. 'code:' .. id)
    if code and code[C.CLIENT] == ARGV[1] and before(base .. 'code:' .. id, C.SEEN) then
      drop(KEYS[2], member)
    end
  end
end
mark_ending(ARGV[4])
return ended
