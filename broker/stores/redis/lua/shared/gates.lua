-- Gates: how many calls to an upstream go through in a window of time, and when none does.
-- broker/upstream/gates.py does the same within one process, and says what the parts mean.
--
-- A gate is one string: a JSON array of numbers, in seconds of the server's own clock: all
-- processes share the upstream, and their clocks need not agree.
-- Keys are made from KEYS[1], the whole upstream's, by replacing its last part:
--   all                      the gate of everything
--   route:<route>            of a route
--   of:<holder>:<bucket>     of a bucket, for one holder
--   buckets                  hash, route → bucket
--   refusals                 hash, minute → how many
--   dead:<holder>            there while the holder's token is not tried again
-- Redis' own expiry only collects garbage: a gate that holds nobody back says nothing.

local PROBES, POLL, EDGE = 4, 0.1, 0.1
local SLOWER, FASTER, FIRST, SLOWEST, FREE, LONGEST = 0.75, 0.02, 20, 10, 0.004, 600
local UNKNOWN_KEPT, PERSON_KEPT, OURS_KEPT, BUCKETS_KEPT = 5, 60, 3600, 86400
local WINDOW = 600

local G = {
  UNTIL = 1, LIMIT = 2, LENGTH = 3, ENDS = 4, TAKEN = 5, LEARNED = 6, STRIKES = 7, KNOWN = 8,
  PROBES = 9, SECOND = 10, SENT = 11, BEFORE = 12, SEEN = 13, WINDOW = 14,
}
local NEW = '[0,0,0,0,0,0,0,0,0,0,0,0,0,0]'

local base = string.match(KEYS[1], '^(.*}:)')
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000

-- Lets time pass at a gate.
local function roll(gate)
  if gate[G.LEARNED] == 1 then
    gate[G.LENGTH] = gate[G.LENGTH] / (1 + FASTER * math.max(now - gate[G.SEEN], 0))
    if gate[G.LENGTH] < FREE then
      gate[G.LIMIT], gate[G.LEARNED], gate[G.TAKEN] = 0, 0, 0
    end
  end
  if gate[G.LIMIT] > 0 and now >= gate[G.ENDS] then
    local windows = math.floor((now - gate[G.ENDS]) / gate[G.LENGTH]) + 1
    gate[G.TAKEN] = math.max(gate[G.TAKEN] - windows * gate[G.LIMIT], 0)
    gate[G.ENDS] = gate[G.ENDS] + windows * gate[G.LENGTH]
    gate[G.WINDOW] = gate[G.WINDOW] + windows
  end
  gate[G.SEEN] = now
end

-- The gates that a call passes, in order, and the bucket's name: {key, record, seconds kept}.
local function gates_of(route, holder)
  local bucket = redis.call('HGET', base .. 'buckets', route) or route
  local kept = holder == 'ours' and OURS_KEPT or PERSON_KEPT
  local found = {
    { base .. 'of:' .. holder .. ':' .. bucket, nil, kept },
    { base .. 'route:' .. route, nil, OURS_KEPT },
    { KEYS[1], nil, OURS_KEPT },
  }
  for _, each in ipairs(found) do
    each[2] = cjson.decode(redis.call('GET', each[1]) or NEW)
    roll(each[2])
  end
  return found, bucket
end

local function save(each, may_be_unknown)
  local gate = each[2]
  local kept = may_be_unknown and gate[G.KNOWN] == 0 and UNKNOWN_KEPT or each[3]
  local windows = gate[G.LIMIT] > 0 and gate[G.TAKEN] / gate[G.LIMIT] * gate[G.LENGTH] or 0
  kept = math.max(gate[G.UNTIL] - now, gate[G.ENDS] - now + windows, 0) + kept
  redis.call('SET', each[1], cjson.encode(gate), 'PX', math.ceil(kept * 1000))
end

local function edge(gate)
  return math.min(EDGE, gate[G.LENGTH] / 10)
end

-- When the window begins that is so many ahead.
local function begins(gate, ahead)
  return ahead == 0 and now or gate[G.ENDS] + (ahead - 1) * gate[G.LENGTH]
end

-- When a call may pass, and in which window; it takes its places unless that is beyond its patience.
local function take(gate, patience, weight)
  local at, ahead = math.max(now, gate[G.UNTIL]), 0
  if gate[G.LIMIT] > 0 and weight > 0 then
    if gate[G.TAKEN] == 0 then
      gate[G.ENDS] = now + gate[G.LENGTH]
    elseif gate[G.TAKEN] < gate[G.LIMIT]
      and gate[G.ENDS] - now < edge(gate) then
      gate[G.TAKEN] = gate[G.LIMIT]
    end
    ahead = math.floor(gate[G.TAKEN] / gate[G.LIMIT])
    at = math.max(at, begins(gate, ahead))
    if at - now <= patience then
      gate[G.TAKEN] = gate[G.TAKEN] + weight
    end
  end
  return at, gate[G.WINDOW] + ahead
end

-- When a place is there that was taken, or nil where a new one has to be taken.
local function holds(gate, window)
  local ahead = window - gate[G.WINDOW]
  if gate[G.LIMIT] > 0 and ahead > 0 and ahead <= math.floor(gate[G.TAKEN] / gate[G.LIMIT]) then
    return math.max(now, gate[G.UNTIL], begins(gate, ahead))
  end
  local missed = window > 0 and gate[G.LIMIT] > 0 and gate[G.LEARNED] == 0
  if missed and ahead == 0 then
    missed = gate[G.ENDS] - now < edge(gate)
  end
  return not missed and gate[G.UNTIL] <= now and now or nil
end

-- Calls sent in this second and in the one before, with the numbers brought up to now.
local function sent(gate)
  local second = math.floor(now)
  if second ~= gate[G.SECOND] then
    gate[G.BEFORE] = second == gate[G.SECOND] + 1 and gate[G.SENT] or 0
    gate[G.SECOND], gate[G.SENT] = second, 0
  end
  return gate[G.SENT], gate[G.BEFORE]
end

-- Takes in what an answer says of the window.
local function told(gate, limit, left, reset)
  if limit < 1 or reset < EDGE then
    return
  end
  local used, ends = math.max(limit - left, 0), now + reset
  local told_before = gate[G.LIMIT] > 0 and gate[G.LEARNED] == 0
  local ahead = gate[G.LIMIT] > 0 and math.max(gate[G.TAKEN] - gate[G.LIMIT], 0) or 0
  if ahead > 0 then
    used = limit + ahead
  elseif told_before and ends < gate[G.ENDS] + math.max(EDGE, gate[G.LENGTH] / 2) then
    used = math.max(used, gate[G.TAKEN])
  end
  local whole = told_before and limit == gate[G.LIMIT] and gate[G.LENGTH] or 0
  gate[G.LIMIT], gate[G.LENGTH], gate[G.TAKEN] = limit, math.max(reset, whole), used
  gate[G.ENDS], gate[G.LEARNED] = ends, 0
end

-- Chooses a pace below the one that was too fast.
local function learn(gate)
  local this, before = sent(gate)
  local pace = this + before * (1 - now % 1)
  local slower = gate[G.LEARNED] == 1 and gate[G.LENGTH] / SLOWER or 0
  gate[G.LENGTH] = math.min(math.max(1 / (SLOWER * math.max(pace, FIRST)), slower), SLOWEST)
  gate[G.LIMIT], gate[G.LEARNED], gate[G.TAKEN] = 1, 1, math.max(gate[G.TAKEN], 1)
end

-- Lets nothing pass for a while, and not too much afterwards.
local function stop(gate, wait, guessed, limited)
  local first = gate[G.UNTIL] <= now
  if guessed and first then
    wait = math.min(wait * 2 ^ gate[G.STRIKES], LONGEST)
  end
  if first and limited then
    gate[G.STRIKES] = gate[G.STRIKES] + 1
    if gate[G.LEARNED] == 1 or gate[G.LIMIT] == 0 then
      learn(gate)
    end
  end
  gate[G.UNTIL] = math.max(gate[G.UNTIL], now + wait)
  if gate[G.LIMIT] > 0 then
    gate[G.ENDS] = math.max(gate[G.ENDS], gate[G.UNTIL])
    gate[G.TAKEN] = math.max(gate[G.TAKEN], gate[G.LIMIT])
  end
end
