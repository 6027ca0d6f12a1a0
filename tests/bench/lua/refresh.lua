-- Every connection goes on with a grant's newest token: a token is taken from the pool, and the one
-- that the answer names is put there. Arguments: path, pool of refresh tokens, Authorization.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'common.lua')

local pool, path, headers

function init(args)
  path, pool = args[1], queue(lines(args[2]))
  headers = { ['Content-Type'] = FORM, ['Authorization'] = args[3] }
end

function request()
  local token = pool.take() or 'none-left'
  return wrk.format('POST', path, headers, 'grant_type=refresh_token&refresh_token=' .. token)
end

function response(status, _, body)
  local newest = status == 200 and string.match(body, '"refresh_token": ?"([^"]+)"')
  if newest then
    pool.put(newest)
  end
end
