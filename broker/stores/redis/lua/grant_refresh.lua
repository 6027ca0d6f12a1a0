-- Spends a generation of a grant's refresh token and names the next (RFC 9700 §4.14).
--
-- KEYS  1 facts  2 index  3 grant
-- ARGV  1 grant_id  2 client_id  3 generation  4 scope or ''  5 resources or ''  6 now
--       7 grace seconds  8 grant idle seconds
--       9 whether to rotate: 1, 0, or 2 for unless the grant is bound to a key (RFC 9449 §5)
--       10 jkt  11 digest and  12 seconds of a DPoP proof, or '' each
--       13 whether it goes with its session though it is offline (1 or 0)
--       14 the moment before which no community fact may have been read, or '' for any age, and
--       15… further fields of the facts to answer with, i the first of them; or none of the two
-- Answers {'rotated' or 'repeated' or 'adopted' or 'kept', grant, facts}, or {reason}; for 'reused'
-- the grant is ended. Where it is not to rotate, the current generation stays ('kept').
-- Checks in this order: known → client → DPoP key → proof unused → unexpired → session or offline →
-- account → scope → resource → community facts → generation. A failed check changes nothing, nor
-- uses a proof up.
-- Invariant: at most one generation is live; a spent one answers with the live one during the
-- grace time counted from its first spending, and ends the grant after it.
--@include records
--@include facts
--@include index
--@include grants
--@include scopes
--@include proofs

local KEPT = 16 -- how many runs of spent generations are remembered, at the most

local grant = read(KEYS[3])
if not grant then
  return { 'unknown' }
end
if grant[G.CLIENT] ~= ARGV[2] then
  return { 'foreign' }
end
if not holds(grant[G.JKT], ARGV[10]) then
  return { 'key' }
end
if used_up(ARGV[11]) then
  return { 'proof' }
end
local reason, now, facts = stopped(KEYS[3], grant, ARGV[6], KEYS[1], 15, ARGV[13])
if reason then
  return { reason }
end
if not covers(grant[G.SCOPE], ARGV[4]) then
  return { 'scope' }
end
if not covers(grant[G.RESOURCES], ARGV[5]) then
  return { 'resource' }
end
if (ARGV[14] or '') ~= '' then
  for i = 8, #facts do -- those after i
    if not facts[i] or tonumber(string.match(facts[i], '^[^|]+')) < tonumber(ARGV[14]) then
      return { 'stale_facts' }
    end
  end
end

-- Spent generations within the grace time: 'first-last:milliseconds since the grant began'.
local at, grace, created = tonumber(now), tonumber(ARGV[7]), tonumber(grant[G.CREATED])
local wanted, current = tonumber(ARGV[3]), tonumber(grant[G.GENERATION])
local kept, spent = {}, false
if grace > 0 then
  local least = (at - created - grace) * 1000 - 0.5 -- half a millisecond for rounding
  for first, last, moment in string.gmatch(grant[G.SPENT], '(%d+)-(%d+):(%d+)') do
    if tonumber(moment) >= least then
      kept[#kept + 1] = { first, last, moment }
      spent = spent or (wanted >= tonumber(first) and wanted <= tonumber(last))
    end
  end
end

-- Joins the two neighbours nearest in time under the earlier moment: many generations are still
-- known within the grace time, none beyond it.
local function join_nearest()
  local best, least = 1, math.huge
  for i = 1, #kept - 1 do
    local apart = kept[i + 1][3] - kept[i][3]
    if apart < least then
      best, least = i, apart
    end
  end
  kept[best][2] = kept[best + 1][2]
  table.remove(kept, best + 1)
end

if wanted < current then
  if spent then
    use_up(ARGV[11], ARGV[12])
    return { 'repeated', grant, facts }
  end
  end_grant(KEYS[2], KEYS[3], ARGV[1], grant)
  return { 'reused' }
end
use_up(ARGV[11], ARGV[12])
local stays = ARGV[9] == '0' or (ARGV[9] == '2' and (grant[G.JKT] or '') ~= '')
if wanted == current and stays then
  grant[G.IDLE] = later(grant[G.IDLE], until_at_most(now, ARGV[8], grant[G.EXPIRES]))
  grant[G.SEEN] = now
  write(KEYS[3], grant, grant[G.IDLE] - ARGV[6] + SLACK)
  return { 'kept', grant, facts }
end
if grace > 0 then
  kept[#kept + 1] = { ARGV[3], ARGV[3], string.format('%.0f', (at - created) * 1000) }
end
if #kept > KEPT then
  join_nearest()
end
for i, each in ipairs(kept) do
  kept[i] = each[1] .. '-' .. each[2] .. ':' .. each[3]
end
grant[G.SPENT] = table.concat(kept, ' ')
grant[G.GENERATION] = string.format('%.0f', wanted + 1)
grant[G.IDLE] = later(grant[G.IDLE], until_at_most(now, ARGV[8], grant[G.EXPIRES]))
grant[G.SEEN] = now
write(KEYS[3], grant, grant[G.IDLE] - ARGV[6] + SLACK)
return { wanted == current and 'rotated' or 'adopted', grant, facts }
