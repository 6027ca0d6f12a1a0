-- Reads what of an account is alive: its sessions and its grants.
--
-- KEYS  1 facts  2 index
-- ARGV  1 now
-- Answers {{'s', sid, session record}, …, {'g', grant_id, grant record}, …}.
-- Invariant: changes nothing; what has ended by its own times, or was begun before the account's
-- not-before, is left out.
--@include records
--@include facts
--@include index
--@include grants

local facts = read_facts(KEYS[1], '')
local found = {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local kind, id = parts_of(member)
  local record = (kind == 's' or kind == 'g') and read(base .. KINDS[kind] .. id)
  if record then
    local fields = kind == 's' and S or G
    local ended = tonumber(ARGV[1]) >= tonumber(record[fields.EXPIRES])
      or tonumber(ARGV[1]) >= tonumber(record[fields.IDLE])
    if not ended and not barred(facts, record[kind == 's' and S.CREATED or G.BEGUN]) then
      found[#found + 1] = { kind, id, record }
    end
  end
end
return found
