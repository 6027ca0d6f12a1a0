-- Posts a form whose last value is of the pool, each in turn, over and over.
-- Arguments: path, pool of values, Authorization, the form as far as that value.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'common.lua')

local asking, turn = {}, 0

function init(args)
  local headers = { ['Content-Type'] = FORM, ['Authorization'] = args[3] }
  for number, value in ipairs(lines(args[2])) do
    asking[number] = wrk.format('POST', args[1], headers, args[4] .. value)
  end
end

function request()
  turn = turn % #asking + 1
  return asking[turn]
end
