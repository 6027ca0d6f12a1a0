-- Polls once with each device code of the pool; ends when none is left.
-- Arguments: path, pool of device codes, Authorization.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'common.lua')

local GRANT = 'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code='
local pool, path, headers, last

function init(args)
  path, pool = args[1], queue(lines(args[2]))
  headers = { ['Content-Type'] = FORM, ['Authorization'] = args[3] }
end

function request()
  local code = pool.take()
  if code then
    last = code
  else
    wrk.thread:stop()
  end
  return wrk.format('POST', path, headers, GRANT .. last)
end
