// A long-running verifier: keeps the JWKS for as long as its Cache-Control allows, not a moment
// less: an unknown kid never makes it ask again, so that the test sees every one it meets.
import { given, hear, say } from './lines.mjs'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'

const { issuer, jwksUri, maxAge } = given
const keys = createRemoteJWKSet(new URL(jwksUri), {
  cacheMaxAge: maxAge * 1000,
  cooldownDuration: Number.MAX_SAFE_INTEGER,
})

for (let asked = await hear(); asked !== undefined; asked = await hear()) {
  try {
    await jwtVerify(asked.token, keys, { issuer, algorithms: ['RS256'] })
    say({ ok: true })
  } catch (error) {
    const { kid } = decodeProtectedHeader(asked.token)
    say({ ok: false, kid, reason: `${error.code}: ${error.message}` })
  }
}
