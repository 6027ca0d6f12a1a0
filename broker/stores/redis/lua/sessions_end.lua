-- Ends the sessions of an account that an upstream vouched for, as each is ended by itself.
--
-- KEYS  1 index
-- ARGV  1 upstream  2 the moment up to which somebody signed in through it
--       3 whether to mark the ending (1 or 0)
-- Answers {grant_id, client_id, …} of the grants that were alive.
-- Invariant: safe to repeat, late too: whoever signed in through it since stays.
--@include records
--@include index
--@include ending
--@include notices
--@include sessions

local ended = {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local sid = string.match(member, '^s:(.+)$')
  local session = sid and read(base .. 'session:' .. sid)
  if session and session[S.UPSTREAM] == ARGV[1] and tonumber(session[S.CREATED]) <= tonumber(ARGV[2]) then
    end_session(KEYS[1], sid, ended)
  end
end
mark_ending(ARGV[3])
return ended
