-- Scopes and resources: space-separated words.

-- Whether every wanted word is among the granted ones; wanting nothing is wanting no more.
local function covers(granted, wanted)
  local among = ' ' .. granted .. ' '
  for word in string.gmatch(wanted, '%S+') do
    if not string.find(among, ' ' .. word .. ' ', 1, true) then
      return false
    end
  end
  return true
end
