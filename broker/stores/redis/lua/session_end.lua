-- Ends a session, its unspent codes and its grants that are not offline.
--
-- KEYS  1 index  2 session
-- ARGV  1 sid  2 whether to mark the ending (1 or 0)
-- Answers {grant_id, client_id, …} of the grants that were alive.
-- Invariant: works from the index, so it is complete even when the session itself is gone; notices
-- for its clients are written in the same step, for those with offline grants at its first end.
--@include records
--@include index
--@include ending
--@include notices

local sub = redis.call('HGET', base .. 'facts', 'sub')
local first = redis.call('ZREM', KEYS[1], 's:' .. ARGV[1]) == 1
local ended = {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local id, sid, offline, client = string.match(member, '^g:([^:]+):([^:]+):([01]):(.*)$')
  local own = id and sid == ARGV[1]
  if own and (offline == '0' or first) then
    notice(sid, client, sub)
  end
  if own and offline == '0' then
    if drop(KEYS[1], member) then
      ended[#ended + 1] = id
      ended[#ended + 1] = client
    end
  elseif string.match(member, '^c:[^:]+:(.*)$') == ARGV[1] then
    drop(KEYS[1], member)
  elseif string.match(member, '^p:([^:]+):') == ARGV[1] then
    notice(ARGV[1], string.match(member, '^p:[^:]+:(.*)$'), sub)
    drop(KEYS[1], member)
  end
end
redis.call('DEL', KEYS[2])
mark_ending(ARGV[2])
return ended
