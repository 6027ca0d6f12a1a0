-- A signed-in person's code flow whose tokens are bound to a key: as code.lua, with a proof in each
-- token request. Arguments: as there; the pool holds proofs after its cookies. Ends when no proof
-- is left.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'common.lua')

local codes, asking, turn, path, basic, form, proofs = queue({}), {}, 0, nil, nil, nil, nil

function init(args)
  local made = {}
  for _, line in ipairs(lines(args[2])) do
    if string.sub(line, 1, 3) == 'eyJ' then
      made[#made + 1] = line
    else
      asking[#asking + 1] = wrk.format('GET', args[1], { ['Cookie'] = line })
    end
  end
  proofs, path, basic, form = queue(made), args[3], args[4], args[5] .. '&code='
end

function request()
  local code = codes.take()
  local proof = code and proofs.take()
  if proof then
    local headers = { ['Content-Type'] = FORM, ['Authorization'] = basic, ['DPoP'] = proof }
    return wrk.format('POST', path, headers, form .. code)
  end
  if code then
    wrk.thread:stop()
  end
  turn = turn % #asking + 1
  return asking[turn]
end

function response(status, headers_in)
  if status == 200 then
    flows = flows + 1
    return
  end
  local code = status == 303 and string.match(headers_in['location'] or '', '[?&]code=([^&]+)')
  if code then
    codes.put(code)
  end
end
