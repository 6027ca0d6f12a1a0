-- Endings: where replicas are waited for, each leaves a short-lived mark, so that an ending that
-- is repeated writes again and WAIT on its connection covers it.

local function mark_ending(wanted)
  if wanted == '1' then
    redis.call('SET', base .. 'ended', '1', 'PX', 60000)
  end
end
