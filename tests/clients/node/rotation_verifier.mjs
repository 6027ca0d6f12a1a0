// A service that verifies with jose's createRemoteJWKSet; what it hears and says is told in
// ../verifiers/lines.py. It keeps the JWKS as long as its Cache-Control allows, not a moment less:
// an unknown key never makes it ask again, so that the run sees every one it meets.
import { given, hear, say } from './lines.mjs'
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose'

const { issuer, jwks, lifetime, skew, audience } = given
const ATTEMPTS = 3
let since = null
const age = () => (since === null ? null : (Date.now() - since) / 1000)

const fetchTelling = async (url, options) => {
  say({ fetched_after: age(), allowed: lifetime })
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await fetch(url, options)
      since = Date.now()
      return answer
    } catch (error) {
      if (attempt === ATTEMPTS) throw error
      say({ reset: String(error.cause ?? error) })
    }
  }
}

const keys = createRemoteJWKSet(new URL(jwks), {
  cacheMaxAge: lifetime * 1000,
  cooldownDuration: Number.MAX_SAFE_INTEGER,
  timeoutDuration: 10000,
  [customFetch]: fetchTelling,
})

const why = (error) => {
  if (error instanceof errors.JWKSNoMatchingKey) return 'unknown key'
  if (error instanceof errors.JWTExpired) return 'expired'
  return `${error.code}: ${error.message}`
}

for (let asked = await hear(); asked !== undefined; asked = await hear()) {
  let refused = null
  try {
    await jwtVerify(asked.token, keys, {
      issuer,
      audience: audience[asked.kind],
      algorithms: ['RS256'],
      clockTolerance: skew,
    })
  } catch (error) {
    refused = why(error)
  }
  say({ n: asked.n, ok: refused === null, why: refused, age: age(), at: Date.now() / 1000 })
}
