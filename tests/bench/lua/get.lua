-- One address, over and over. Arguments: path.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'common.lua')

function init(args)
  wrk.path = args[1]
end
