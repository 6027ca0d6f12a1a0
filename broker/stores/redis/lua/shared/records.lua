-- Records: how the steps keep sessions, codes and grants.
--
-- A record is one string: a JSON array of strings. (A hash would pass Redis' limit for its compact
-- form as soon as one value is longer than 64 bytes, and then weigh four times as much.)
-- Times are decimal seconds of the caller's clock. Each record remembers the latest time it has
-- seen: a clock that steps back is met with that one, so nothing comes back to life.
-- Redis' own expiry is only garbage collection, counted from the caller's now, plus a slack.
--
-- Invariant: every key name is made from KEYS[1] by replacing its last part, so it carries the
-- same {account} tag: one slot, on a cluster as on a single server.

local SLACK = 3600 -- seconds a session or grant outlives its end, to be told from an unknown one
local CODE_SLACK = 60 -- the same for a code; there are many more of them

local S = { GENERATION = 1, CREATED = 2, AUTH = 3, EXPIRES = 4, IDLE = 5, SEEN = 6, UPSTREAM = 7, DEVICE = 8 }

-- CREATED is when the latest sign-in into the session began, AUTH when the person was last seen to
-- authenticate: at that time, earlier, or nobody knows.

local base = string.match(KEYS[1], '^(.*}:)')

local function read(key)
  local raw = redis.call('GET', key)
  return raw and cjson.decode(raw)
end

local function write(key, record, seconds)
  redis.call('SET', key, cjson.encode(record), 'PX', math.ceil(seconds * 1000))
end

-- Writes a record back without touching its expiry.
local function amend(key, record)
  redis.call('SET', key, cjson.encode(record), 'KEEPTTL')
end

-- The later of two times, both as text.
local function later(a, b)
  if tonumber(a) >= tonumber(b) then
    return a
  end
  return b
end

-- The earlier of now + seconds and a limit, as text.
local function until_at_most(now, seconds, limit)
  local wanted = tonumber(now) + tonumber(seconds)
  if wanted >= tonumber(limit) then
    return limit
  end
  return string.format('%.3f', wanted)
end

-- Makes a key live at least so many seconds more.
local function prolong(key, seconds)
  local wanted = math.ceil(seconds * 1000)
  if redis.call('PTTL', key) < wanted then
    redis.call('PEXPIRE', key, wanted)
  end
end

-- The session if it has not ended by its own times; one seen over stays over.
local function living_session(key, now)
  local session = read(key)
  if not session then
    return nil
  end
  now = later(now, session[S.SEEN])
  local at = tonumber(now)
  if at >= tonumber(session[S.EXPIRES]) or at >= tonumber(session[S.IDLE]) then
    session[S.SEEN] = now
    amend(key, session)
    return nil
  end
  return session, now
end
