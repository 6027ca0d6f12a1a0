-- Writes an authorization code in a living session (OpenID Connect Core §3.1.2).
--
-- KEYS  1 facts  2 index  3 session  4 code
-- ARGV  1 sid  2 generation  3 code_id  4 client_id  5 redirect_uri  6 code_challenge or ''
--       7 nonce or ''  8 scope  9 resources  10 now  11 code lifetime  12 session idle seconds
--       13 least auth_time  14 whether consent is required (1 or 0)  15 the scope it must cover
--       16 the subject that must be signed in, or ''  17 index cap  18 dpop_jkt or ''  19 claims or ''
--       20… facts as field, value, …
-- Answers {'issued', session, facts} or {reason, session or nil, facts or nil}.
-- Checks in this order: session → account → subject → age of the sign-in → consent.
-- Invariant: a code exists only for a person who was signed in, and had agreed, at that instant.
--@include records
--@include facts
--@include facts_put
--@include index
--@include scopes

if #ARGV >= 20 then
  put_facts(KEYS[1], 20)
end
local session, now = living_session(KEYS[3], ARGV[10])
if not session or session[S.GENERATION] ~= ARGV[2] then
  return { 'no_session', false, false }
end
local facts = read_facts(KEYS[1], ARGV[4])
local reason = barred(facts, session[S.CREATED])
if reason then
  return { reason, reason == 'no_facts' and session, false }
end
if ARGV[16] ~= '' and facts[2] ~= ARGV[16] then
  return { 'other_subject', session, facts }
end
if tonumber(session[S.AUTH]) < tonumber(ARGV[13]) then
  return { 'stale_login', session, facts }
end
if ARGV[14] == '1' and not (facts[6] and covers(facts[6], ARGV[15])) then
  return { 'no_consent', session, facts }
end

local expires = tonumber(now) + tonumber(ARGV[11])
local auth = session[S.AUTH] ~= session[S.CREATED] and session[S.AUTH] or nil
write(KEYS[4], {
  ARGV[4], ARGV[5], ARGV[6], ARGV[1], session[S.CREATED], ARGV[8], ARGV[9], ARGV[7],
  string.format('%.3f', expires), now, '', ARGV[18], ARGV[19],
  auth,
}, expires - ARGV[10] + CODE_SLACK)
enter(KEYS[2], code_member(ARGV[3], ARGV[1]), expires, tonumber(ARGV[10]), tonumber(ARGV[17]),
  's:' .. ARGV[1])
session[S.IDLE] = later(session[S.IDLE], until_at_most(now, ARGV[12], session[S.EXPIRES]))
session[S.SEEN] = now
write(KEYS[3], session, session[S.IDLE] - ARGV[10] + SLACK)
return { 'issued', session, facts }
