-- A signed-in person's code flow: /authorize with a session cookie, then the code at /token.
-- Arguments: path of the authorization request, pool of cookies, path of the token endpoint,
-- Authorization, the token request without its code.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'common.lua')

local codes, asking, turn, path, headers, form = queue({}), {}, 0, nil, nil, nil

function init(args)
  for number, cookie in ipairs(lines(args[2])) do
    asking[number] = wrk.format('GET', args[1], { ['Cookie'] = cookie })
  end
  path, form = args[3], args[5] .. '&code='
  headers = { ['Content-Type'] = FORM, ['Authorization'] = args[4] }
end

function request()
  local code = codes.take()
  if code then
    return wrk.format('POST', path, headers, form .. code)
  end
  turn = turn % #asking + 1
  return asking[turn]
end

function response(status, headers_in)
  if status == 200 then
    flows = flows + 1
    return
  end
  local location = headers_in['location'] or headers_in['Location'] or ''
  local code = string.match(location, '[?&]code=([^&]+)')
  if code then
    codes.put(code)
  end
end
