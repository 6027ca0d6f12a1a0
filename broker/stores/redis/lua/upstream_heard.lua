-- Takes in what came of a call to an upstream.
--
-- KEYS  1 the upstream's gate of everything
-- ARGV  1 route  2 holder  3 answered  4 bucket or ''  5 limit  6 left  7 seconds to its reset
--       8 seconds to wait  9 for which gate  10 guessed  11 limited  12 refusal  13 dead
--       (yes and no are 1 and 0)
-- Answers nothing.
-- Invariant: no gate opens before the latest moment that any answer named for it.
--@include gates

local route, holder, answered, wait = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[8])

if ARGV[4] ~= '' then
  local before = redis.call('HGET', base .. 'buckets', route) or route
  if before ~= ARGV[4] then
    redis.call('DEL', base .. 'of:' .. holder .. ':' .. before)
  end
  redis.call('HSET', base .. 'buckets', route, ARGV[4])
  redis.call('EXPIRE', base .. 'buckets', BUCKETS_KEPT)
end
local gates = gates_of(route, holder)
local bucket = gates[1][2]
if answered then
  bucket[G.KNOWN] = 1
end
bucket[G.PROBES] = math.max(bucket[G.PROBES] - 1, 0)
told(bucket, tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]))
if wait > 0 then
  local each = gates[tonumber(ARGV[9])]
  stop(each[2], wait, ARGV[10] == '1', ARGV[11] == '1')
  save(each)
elseif answered then
  for i, each in ipairs(gates) do
    local struck = each[2][G.STRIKES] > 0
    each[2][G.STRIKES] = 0
    if struck and i > 1 then
      save(each)
    end
  end
end
save(gates[1], true)
if ARGV[12] == '1' then
  redis.call('HINCRBY', base .. 'refusals', string.format('%.0f', math.floor(now / 60)), 1)
  redis.call('EXPIRE', base .. 'refusals', 2 * WINDOW)
end
if ARGV[13] == '1' then
  redis.call('SET', base .. 'dead:' .. holder, 1, 'EX', WINDOW)
end
return nil
