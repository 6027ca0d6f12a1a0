-- The index of an account: a sorted set by absolute end. Its members name what is alive:
--   s:<sid>   c:<code_id><sid>   g:<grant_id><sid><offline, 1 or 0><client_id>
-- so that a session's codes and grants are found without reading them; and, as long as the session,
--   p:<sid>:<client_id>, a client that took part in it and has lost a grant since.
-- In c and g identifiers are 16 bytes each: a sorted set with a member of more than 64 bytes weighs
-- five times as much. Earlier releases wrote them in digits, and colons between the parts.
--
-- Invariant: nothing alive is missing from it. What falls out (over the cap, or expired) is
-- deleted with its member. The tombstone of a spent code is not in it: it opens nothing.

local KINDS = { s = 'session:', c = 'code:', g = 'grant:' }
local SWEPT_AFTER = 60 -- seconds beyond its end after which a member is dropped

local function packed(id)
  return (string.gsub(id, '%x%x', function(two) return string.char(tonumber(two, 16)) end))
end

local function unpacked(bytes)
  return (string.gsub(bytes, '.', function(one) return string.format('%02x', string.byte(one)) end))
end

local function code_member(id, sid)
  return 'c:' .. packed(id) .. packed(sid)
end

local function grant_member(id, sid, offline, client)
  return 'g:' .. packed(id) .. packed(sid) .. offline .. client
end

-- What a member says: its kind, its id (of p, the session's), and the sid, offline and client of
-- those that have them.
local function parts_of(member)
  local kind, rest = string.sub(member, 1, 1), string.sub(member, 3)
  if kind == 's' then
    return kind, rest
  elseif kind == 'p' then
    local sid, client = string.match(rest, '^([^:]+):(.*)$')
    return kind, sid, sid, nil, client
  end
  local id, sid, more = string.match(rest, '^(' .. string.rep('%x', 32) .. '):([^:]+):?(.*)$')
  if id then
    return kind, id, sid, string.match(more, '^[01]'), string.sub(more, 3)
  end
  return kind, unpacked(string.sub(rest, 1, 16)), unpacked(string.sub(rest, 17, 32)),
    string.match(rest, '^[01]', 33), string.sub(rest, 34)
end

-- Takes a code or grant out, as this or an earlier release has entered it.
local function leave(index, member)
  local kind, id, sid, offline, client = parts_of(member)
  local before = kind .. ':' .. id .. ':' .. sid
  redis.call('ZREM', index, member, offline and before .. ':' .. offline .. ':' .. client or before)
end

-- Deletes what a member names; says whether it was still there.
local function drop(index, member)
  local kind, id = parts_of(member)
  redis.call('ZREM', index, member)
  return kind ~= 'p' and redis.call('DEL', base .. KINDS[kind] .. id) == 1
end

-- Drops grants that have a session to themselves (it bears their name), and that session, until
-- the cap is kept; the nearest to their end go first. Returns how many members are still over.
local function drop_launches(index, cap, member)
  local over = redis.call('ZCARD', index) - cap
  for _, each in ipairs(over > 0 and redis.call('ZRANGE', index, 0, -1) or {}) do
    local kind, id, sid = parts_of(each)
    if over > 0 and kind == 'g' and id == sid and each ~= member then
      drop(index, each)
      drop(index, 's:' .. sid)
      over = redis.call('ZCARD', index) - cap
    end
  end
  return over
end

-- Enters a member, drops some that are long over, and keeps the index within its cap: those
-- nearest to their end go first, but never this one nor the session it is made in. Before all
-- others go grants with a session to themselves: a program can make any number of those, and is
-- not to sign people out of their browsers by it.
local function enter(index, member, expires, now, cap, session_member)
  redis.call('ZADD', index, expires, member)
  prolong(index, expires - now + SLACK)
  local old = redis.call('ZRANGEBYSCORE', index, '-inf', now - SWEPT_AFTER, 'LIMIT', 0, 16)
  for _, each in ipairs(old) do
    drop(index, each)
  end
  local over = drop_launches(index, cap, member)
  if over <= 0 then
    return
  end
  for _, each in ipairs(redis.call('ZRANGE', index, 0, over + 1)) do
    if over > 0 and each ~= member and each ~= session_member then
      drop(index, each)
      over = over - 1
    end
  end
end
