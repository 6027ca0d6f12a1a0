// An app that nobody knows yet: openid-client registers it, signs somebody in, and reads userinfo.
import { given, hear, say } from './lines.mjs'
import * as client from 'openid-client'

const { issuer, ticket, callback } = given
const execute = [client.allowInsecureRequests]
const config = await client.dynamicClientRegistration(
  new URL(issuer),
  { client_name: 'Lantern', redirect_uris: [callback], grant_types: ['authorization_code', 'refresh_token'] },
  undefined,
  { execute, initialAccessToken: ticket },
)

const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: callback,
  scope: 'openid profile',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
})
say({ url: url.href, metadata: config.clientMetadata() })

const back = new URL((await hear()).back)
const checks = { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true }
const tokens = await client.authorizationCodeGrant(config, back, checks)
const { sub, aud } = tokens.claims()
say({ sub, aud, person: await client.fetchUserInfo(config, tokens.access_token, sub) })
process.exit(0)
