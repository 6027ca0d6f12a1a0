// A service that acts for itself, then for the person whose token it was called with (RFC 8693).
import { given, hear, say } from './lines.mjs'
import * as client from 'openid-client'

const { issuer, clientId, clientSecret, callback, api, scope } = given
const execute = [client.allowInsecureRequests]
const config = await client.discovery(new URL(issuer), clientId, clientSecret, undefined, { execute })

const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: callback,
  scope: `openid ${scope}`,
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
})
say({ url: url.href })

const back = new URL((await hear()).back)
const checks = { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true }
const person = await client.authorizationCodeGrant(config, back, checks)
const itself = await client.clientCredentialsGrant(config, { resource: api, scope })
const kind = 'urn:ietf:params:oauth:token-type:access_token'
const acting = await client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
  subject_token: person.access_token,
  subject_token_type: kind,
  actor_token: itself.access_token,
  actor_token_type: kind,
  resource: api,
})
const look = (tokens) => client.tokenIntrospection(config, tokens.access_token)
say({
  sub: person.claims().sub,
  kind: acting.issued_token_type,
  acting: await look(acting),
  itself: await look(itself),
})
process.exit(0)
