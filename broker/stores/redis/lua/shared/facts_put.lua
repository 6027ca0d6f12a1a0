-- Putting facts and their parts; shared/facts.lua says what they are.

local FACTS_KEPT = 604800 -- seconds; sessions and grants prolong it to their own end

local function is_part(field)
  return field == 'gl' or string.sub(field, 1, 2) == 'g:'
end

local function read_at(part)
  return tonumber(string.match(part, '^[^|]+'))
end

-- Puts parts given as field, value, … unless one read as late is there; passes other fields by.
local function put_parts(key, given)
  for i = 1, #given, 2 do
    if is_part(given[i]) then
      local there = redis.call('HGET', key, given[i])
      if not there or read_at(there) < read_at(given[i + 1]) then
        redis.call('HSET', key, given[i], given[i + 1])
      end
    end
  end
end

-- Forgets the parts that were read up to a moment.
local function drop_parts(key, moment)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if is_part(field) and read_at(redis.call('HGET', key, field)) <= moment then
      redis.call('HDEL', key, field)
    end
  end
end

-- Whether these facts replace those that are there: newer ones do, and the same where those there
-- were put by an earlier release, which knew of no identities.
local function replaces(version, known, identities)
  if not known or tonumber(version) > tonumber(known) then
    return true
  end
  return tonumber(version) == tonumber(known) and not identities
end

-- Puts facts given as field, value, … from ARGV[first] on (v first); says whether they were newer.
local function put_facts(key, first)
  local given, own, identities = { unpack(ARGV, first) }, {}, nil
  for i = 1, #given, 2 do
    if not is_part(given[i]) then
      own[#own + 1], own[#own + 2] = given[i], given[i + 1]
      identities = given[i] == 'i' and given[i + 1] or identities
    end
  end
  local known = redis.call('HMGET', key, 'v', 'i')
  local newer = not known[1] or tonumber(given[2]) > tonumber(known[1])
  local same_person = not known[2] or known[2] == identities
  if replaces(given[2], known[1], known[2]) then
    local former = redis.call('HGETALL', key)
    local left = redis.call('PTTL', key)
    redis.call('DEL', key)
    redis.call('HSET', key, unpack(own))
    redis.call('PEXPIRE', key, math.max(left, FACTS_KEPT * 1000))
    if same_person then
      put_parts(key, former)
    end
    put_parts(key, given)
  elseif same_person then
    put_parts(key, given)
  end
  return newer
end
