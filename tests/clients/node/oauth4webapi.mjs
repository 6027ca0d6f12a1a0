// oauth4webapi as a FAPI 2.0 client: private_key_jwt, pushed requests, DPoP; then as a service.
import { given, hear, say } from './lines.mjs'
import * as oauth from 'oauth4webapi'

const { issuer, clientId, jwk, callback, api } = given
const insecure = { [oauth.allowInsecureRequests]: true }
const server = new URL(issuer)
const as = await oauth.processDiscoveryResponse(server, await oauth.discoveryRequest(server, insecure))

const { kid, ...bare } = jwk
const key = await crypto.subtle.importKey('jwk', bare, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
// FAPI 2.0 §5.3.2.1: the audience is the issuer, as a text.
const toIssuer = { [oauth.modifyAssertion]: (_header, payload) => { payload.aud = as.issuer } }
const proven = oauth.PrivateKeyJwt({ key, kid }, toIssuer)
const client = { client_id: clientId }
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
const options = { DPoP, ...insecure }

// A request with DPoP is answered with a nonce to use first, where nonces are on: ask again then.
const twice = async (send, take) => {
  try {
    return await take(await send())
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return await take(await send())
  }
}

const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const nonce = oauth.generateRandomNonce()
const asked = {
  response_type: 'code',
  redirect_uri: callback,
  scope: 'openid profile offline_access',
  prompt: 'consent',
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  claims: JSON.stringify({ userinfo: { email: { essential: true } } }),
  state,
  nonce,
}
const pushed = await twice(
  () => oauth.pushedAuthorizationRequest(as, client, proven, asked, options),
  (response) => oauth.processPushedAuthorizationResponse(as, client, response),
)
const url = new URL(as.authorization_endpoint)
url.searchParams.set('client_id', clientId)
url.searchParams.set('request_uri', pushed.request_uri)
say({ url: url.href })

const parameters = oauth.validateAuthResponse(as, client, new URL((await hear()).back), state)
const tokens = await twice(
  () => oauth.authorizationCodeGrantRequest(as, client, proven, parameters, callback, verifier, options),
  (response) =>
    oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, requireIdToken: true }),
)
const { sub } = oauth.getValidatedIdTokenClaims(tokens)
const person = await twice(
  () => oauth.userInfoRequest(as, client, tokens.access_token, options),
  (response) => oauth.processUserInfoResponse(as, client, sub, response),
)
const refreshed = await twice(
  () => oauth.refreshTokenGrantRequest(as, client, proven, tokens.refresh_token, options),
  (response) => oauth.processRefreshTokenResponse(as, client, response),
)
const machine = await twice(
  () =>
    oauth.clientCredentialsGrantRequest(as, client, proven, { resource: api, scope: 'orders:read' }, options),
  (response) => oauth.processClientCredentialsResponse(as, client, response),
)
const look = async (token) =>
  oauth.processIntrospectionResponse(
    as,
    client,
    await oauth.introspectionRequest(as, client, proven, token, insecure),
  )
const alive = await look(refreshed.access_token)
const service = await look(machine.access_token)
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, proven, refreshed.refresh_token, insecure),
)
const dead = await look(refreshed.access_token)
say({ sub, person, tokens, refreshed, machine, alive, service, dead, asked: [...url.searchParams.keys()] })
process.exit(0)
