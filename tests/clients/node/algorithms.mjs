// The code flow of a client that wants its ID tokens signed with one algorithm, and checks that
// they are: openid-client looks at the signature only when told to. jose is the API behind it.
import { given, hear, say } from './lines.mjs'
import * as client from 'openid-client'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const { issuer, clientId, clientSecret, callback, api, alg } = given

const config = await client.discovery(
  new URL(issuer),
  clientId,
  { client_secret: clientSecret, id_token_signed_response_alg: alg },
  undefined,
  { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
)
const jwks = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri))

const verifier = client.randomPKCECodeVerifier()
const nonce = client.randomNonce()
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: callback,
  scope: 'openid profile',
  resource: api,
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  nonce,
})
say({ url: url.href })

const back = new URL((await hear()).back)
try {
  const tokens = await client.authorizationCodeGrant(config, back, {
    pkceCodeVerifier: verifier,
    expectedNonce: nonce,
    idTokenExpected: true,
  })
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
  const options = { issuer, audience: api, typ: 'at+jwt', algorithms: [alg] }
  const { payload, protectedHeader } = await jwtVerify(refreshed.access_token, jwks, options)
  say({
    supported: config.serverMetadata().id_token_signing_alg_values_supported,
    subject: tokens.claims().sub,
    refreshedSubject: refreshed.claims().sub,
    apiSaw: { sub: payload.sub, alg: protectedHeader.alg },
    atUserinfo: await client
      .fetchUserInfo(config, refreshed.access_token, payload.sub)
      .catch((error) => error.cause.map((challenge) => challenge.parameters.error)),
  })
} catch (error) {
  say({ refused: error.cause?.message ?? error.message })
}
process.exit(0)
