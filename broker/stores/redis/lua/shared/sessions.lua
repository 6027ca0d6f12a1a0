-- Sessions: how one ends. Needs records, index and notices.
--
-- Invariant: works from the index, so it is complete even when the session itself is gone; notices
-- for its clients are written in the same step, for those with offline grants at its first end.

-- Ends a session, its unspent codes and its grants that are not offline; those of its grants that
-- were alive are added to ended as grant_id, client_id.
local function end_session(index, ending, ended)
  local sub = redis.call('HGET', base .. 'facts', 'sub')
  local first = redis.call('ZREM', index, 's:' .. ending) == 1
  for _, member in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    local kind, id, sid, offline, client = parts_of(member)
    if sid == ending then
      if kind == 'p' or (kind == 'g' and (offline == '0' or first)) then
        notice(sid, client, sub)
      end
      if offline ~= '1' and drop(index, member) and kind == 'g' then
        ended[#ended + 1] = id
        ended[#ended + 1] = client
      end
    end
  end
  redis.call('DEL', base .. 'session:' .. ending)
end
