// The whole flow with openid-client; the test is the browser: it gets the authorization URL and
// answers with the URL that the person came back to.
import { given, hear, say } from './lines.mjs'
import * as client from 'openid-client'

const { issuer, clientId, clientSecret, method, callback, after } = given

const authentication = {
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
  none: client.None,
}[method]

const config = await client.discovery(
  new URL(issuer),
  clientId,
  undefined,
  authentication(clientSecret),
  { execute: [client.allowInsecureRequests] },
)

const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const nonce = client.randomNonce()
const url = client.buildAuthorizationUrl(config, {
  redirect_uri: callback,
  scope: 'openid profile email',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
  nonce,
})
say({ url: url.href })

const back = new URL((await hear()).back)
const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }
const tokens = await client.authorizationCodeGrant(config, back, { ...checks, idTokenExpected: true })
const claims = tokens.claims()
const person = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
const end = client.buildEndSessionUrl(config, {
  id_token_hint: refreshed.id_token,
  post_logout_redirect_uri: after,
})
await client.tokenRevocation(config, refreshed.refresh_token)

const refused = async (what) => {
  try {
    await what()
    return null
  } catch (error) {
    return error.error ?? error.code ?? error.message
  }
}

say({
  metadata: config.serverMetadata(),
  claims,
  person,
  rotated: refreshed.refresh_token !== tokens.refresh_token,
  refreshedSubject: refreshed.claims().sub,
  end: end.href,
  afterRevocation: await refused(() => client.refreshTokenGrant(config, refreshed.refresh_token)),
  userinfoAfterRevocation: await refused(() =>
    client.fetchUserInfo(config, refreshed.access_token, claims.sub),
  ),
})
process.exit(0)
