-- One address with many access tokens in turn. Arguments: path, pool of access tokens.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'common.lua')

local asking, turn = {}, 0

function init(args)
  for number, token in ipairs(lines(args[2])) do
    asking[number] = wrk.format('GET', args[1], { ['Authorization'] = 'Bearer ' .. token })
  end
end

function request()
  turn = turn % #asking + 1
  return asking[turn]
end
