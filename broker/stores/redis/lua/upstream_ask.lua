-- Gives a call to an upstream its turn.
--
-- KEYS  1 the upstream's gate of everything
-- ARGV  1 route  2 holder  3 weight  4 seconds of patience  5 gates passed  6 the window of the
--       last one that its place is in  7 refusals that are too many
-- Answers {verdict, seconds, gates passed, window}: 'go' after so many seconds, or 'dead',
-- 'refusals' or 'queue' (its turn is so many seconds away, and it took no place).
-- Checks in this order: token alive → refusals → for each gate: stopped or full.
-- Invariant: of any number of processes no more than a gate's limit have their turn in a window.
--@include gates

local route, holder, weight = ARGV[1], ARGV[2], tonumber(ARGV[3])
local patience, passed, window = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local function answer(verdict, seconds, gates, number)
  return { verdict, string.format('%.4f', seconds), gates or 0, number or 0 }
end

if redis.call('EXISTS', base .. 'dead:' .. holder) == 1 then
  return answer('dead', 0)
end
local counts, sum, oldest = redis.call('HGETALL', base .. 'refusals'), 0, math.huge
local first = math.floor((now - WINDOW) / 60)
for i = 1, #counts, 2 do
  local minute = tonumber(counts[i])
  if minute > first then
    sum, oldest = sum + counts[i + 1], math.min(oldest, minute)
  else
    redis.call('HDEL', base .. 'refusals', counts[i])
  end
end
if sum >= tonumber(ARGV[7]) then
  return answer('refusals', (oldest + 1) * 60 + WINDOW - now)
end

local gates = gates_of(route, holder)
local bucket = gates[1][2]
if passed == 0 and bucket[G.KNOWN] == 0 and bucket[G.PROBES] >= PROBES then
  return answer(patience >= POLL and 'go' or 'queue', POLL, 0)
end
for i, each in ipairs(gates) do
  local gate, number = each[2], window
  local at = i <= passed and holds(gate, i == passed and window or 0) or nil
  if not at then
    at, number = take(gate, patience, i == #gates and weight or 1)
  end
  if at - now > patience then
    return answer('queue', at - now)
  end
  if at > now then
    for j = 1, i do
      save(gates[j], j == 1)
    end
    return answer('go', at - now, i, number)
  end
end
if bucket[G.KNOWN] == 0 then
  bucket[G.PROBES] = bucket[G.PROBES] + 1
end
for i, each in ipairs(gates) do
  sent(each[2])
  each[2][G.SENT] = each[2][G.SENT] + 1
  save(each, i == 1)
end
return answer('go', 0, #gates)
