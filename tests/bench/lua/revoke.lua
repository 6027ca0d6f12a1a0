-- Revokes each token of the pool once; ends when none is left.
-- Arguments: path, pool of tokens, Authorization.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'common.lua')

local pool, path, headers, last

function init(args)
  path, pool = args[1], queue(lines(args[2]))
  headers = { ['Content-Type'] = FORM, ['Authorization'] = args[3] }
end

function request()
  local token = pool.take()
  if token then
    last = token
  else
    wrk.thread:stop()
  end
  return wrk.format('POST', path, headers, 'token=' .. last)
end
