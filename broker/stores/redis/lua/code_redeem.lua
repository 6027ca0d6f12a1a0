-- Spends a code and makes its grant (RFC 6749 §4.1.3, RFC 7636 §4.6).
--
-- KEYS  1 facts  2 index  3 code  4 grant to be
-- ARGV  1 code_id  2 client_id  3 redirect_uri or ''  4 S256 of the verifier or ''  5 grant_id
--       6 now  7 grant lifetime  8 grant idle seconds  9 index cap  10 resources asked for or ''
--       11 jkt  12 digest and  13 seconds of a DPoP proof, or '' each  14 whether the grant's refresh
--       tokens are bound to its key (1 or '')
--       15… further fields of the facts to answer with, i the first of them, or none
-- Answers {'', grant, facts, nonce}, or {reason}, or {'replayed', grant_id it has ended}.
-- Checks in this order: known → client → redirect URI and challenge → DPoP key → proof unused →
-- unspent → unexpired → session → account → resource. A failed check changes nothing, nor uses a
-- proof up; a code presented twice by its own client ends its grant (RFC 6749 §4.1.2), unless it
-- names that very grant as the one to be made.
-- Invariant: of any number of presentations exactly one makes a grant, and the code is spent in
-- the same step.
--@include records
--@include facts
--@include index
--@include grants
--@include scopes
--@include proofs

-- A device's grant has its identifier before its code is redeemed, so a redemption whose answer was
-- lost is told by it: it is the same one, as long as nobody has refreshed the grant.
local function made_before(key, grant)
  if not grant or grant[G.GENERATION] ~= '1' then
    return { 'unknown' }
  end
  if not holds(grant[G.JKT], ARGV[11]) then
    return { 'key' }
  end
  local reason, _, facts = stopped(key, grant, ARGV[6], KEYS[1], 15)
  if reason then
    return { reason }
  end
  if not covers(grant[G.RESOURCES], ARGV[10]) then
    return { 'resource' }
  end
  use_up(ARGV[12], ARGV[13])
  return { '', grant, facts, '' }
end

local code = read(KEYS[3])
if not code then
  return { 'unknown' }
end
if code[C.CLIENT] ~= ARGV[2] then
  return { 'foreign' }
end
if code[C.REDIRECT] ~= ARGV[3] or code[C.CHALLENGE] ~= ARGV[4] then
  return { 'mismatch' }
end
if not holds(code[C.JKT], ARGV[11]) then
  return { 'key' }
end
if used_up(ARGV[12]) then
  return { 'proof' }
end
if code[C.GRANT] ~= '' then
  local key = base .. 'grant:' .. code[C.GRANT]
  local grant = read(key)
  if code[C.GRANT] == ARGV[5] then
    return made_before(key, grant)
  end
  if grant then
    end_grant(KEYS[2], key, code[C.GRANT], grant)
  end
  return { 'replayed', code[C.GRANT] }
end
local now = later(ARGV[6], code[C.SEEN])
if tonumber(now) >= tonumber(code[C.EXPIRES]) then
  code[C.SEEN] = now
  amend(KEYS[3], code)
  return { 'expired' }
end
local session
session, now = living_session(base .. 'session:' .. code[C.SID], now)
if not session then
  return { 'no_session' }
end
local facts = read_facts(KEYS[1], '', 15)
-- A session that a sign-in has renewed began after its earlier codes.
local begun = code[C.SEEN]
if tonumber(session[S.CREATED]) < tonumber(begun) then
  begun = session[S.CREATED]
end
local reason = barred(facts, begun)
if reason then
  return { reason }
end
if not covers(code[C.RESOURCES], ARGV[10]) then
  return { 'resource' }
end

local nonce = code[C.NONCE]
local offline = string.find(' ' .. code[C.SCOPE] .. ' ', ' offline_access ', 1, true) and '1' or '0'
local expires = string.format('%.3f', now + ARGV[7])
local idle = until_at_most(now, ARGV[8], expires)
local grant = {
  ARGV[2], code[C.SID], offline, code[C.SCOPE], code[C.RESOURCES], code[C.BEGUN], now, expires, idle,
  now, '1', '', ARGV[14] == '1' and ARGV[11] or '', code[C.CLAIMS] or '', code[C.AUTH],
}
code[C.GRANT] = ARGV[5]
code[C.SEEN], code[C.SCOPE], code[C.RESOURCES] = now, '', ''
code[C.NONCE], code[C.CLAIMS] = '', ''
amend(KEYS[3], code)
use_up(ARGV[12], ARGV[13])
leave(KEYS[2], code_member(ARGV[1], code[C.SID]))
write(KEYS[4], grant, idle - ARGV[6] + SLACK)
prolong(KEYS[1], expires - ARGV[6] + SLACK)
enter(KEYS[2], grant_member(ARGV[5], code[C.SID], offline, ARGV[2]), tonumber(expires),
  tonumber(ARGV[6]), tonumber(ARGV[9]), 's:' .. code[C.SID])
return { '', grant, facts, nonce }
