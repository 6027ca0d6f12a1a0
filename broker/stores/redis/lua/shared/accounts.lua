-- Accounts: how what lives of one ends. Needs records, index and notices.
--
-- Invariant: works from the index, so it is complete; every client that took part in a session ended
-- here gets its notice in the same step.

-- Ends whatever the index names, but for what spared(kind, id) says stays. Returns {grant_id,
-- client_id, …} of the grants that were alive.
local function end_members(facts, index, spared)
  local sub, ended = redis.call('HGET', facts, 'sub'), {}
  for _, member in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    local kind, id, sid, _, client = parts_of(member)
    if not spared(kind, id) then
      local alive = drop(index, member)
      if kind == 'p' or kind == 'g' then
        notice(sid, client, sub)
      end
      if kind == 'g' and alive then
        ended[#ended + 1] = id
        ended[#ended + 1] = client
      end
    end
  end
  return ended
end
