-- Notices: which clients are to be told that a session is over. A hash of the account:
--   <sid>:<client_id> → made|tries|next|sub
-- made and next are milliseconds of the server's own clock: a queue, not a record of the rules.
--
-- Invariant: a notice is written in the step that ends its session, and stays until its client was
-- told or is given up.

local NOTICES_KEPT = 7 * 86400 * 1000 -- milliseconds; long after the last try

local function server_time()
  local read = redis.call('TIME')
  return read[1] * 1000 + math.floor(read[2] / 1000)
end

local function notice(sid, client, sub)
  local key, now = base .. 'notices', string.format('%.0f', server_time())
  redis.call('HSETNX', key, sid .. ':' .. client, now .. '|0|' .. now .. '|' .. (sub or ''))
  redis.call('PEXPIRE', key, NOTICES_KEPT)
end
