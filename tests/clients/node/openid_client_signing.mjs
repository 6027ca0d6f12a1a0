// openid-client with keys instead of a secret: private_key_jwt, and a signed authorization request.
import { given, hear, say } from './lines.mjs'
import * as client from 'openid-client'

const { issuer, clientId, jwk, alg, callback } = given

const kinds = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  Ed25519: { name: 'Ed25519' },
}
const { kid, ...bare } = jwk
const key = await crypto.subtle.importKey('jwk', bare, kinds[alg], false, ['sign'])
const config = await client.discovery(
  new URL(issuer),
  clientId,
  undefined,
  client.PrivateKeyJwt({ key, kid }),
  { execute: [client.allowInsecureRequests] },
)

const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const nonce = client.randomNonce()
const url = await client.buildAuthorizationUrlWithJAR(
  config,
  {
    redirect_uri: callback,
    scope: 'openid profile',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  },
  { key, kid },
)
say({ url: url.href })

const back = new URL((await hear()).back)
const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }
const tokens = await client.authorizationCodeGrant(config, back, { ...checks, idTokenExpected: true })
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
await client.tokenRevocation(config, refreshed.refresh_token)
say({ claims: tokens.claims(), refreshed: refreshed.claims().sub, outside: [...url.searchParams.keys()] })
process.exit(0)
