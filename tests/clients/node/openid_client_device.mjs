// A device with openid-client: it shows a code and polls until the person has decided; then it
// does it once more, and the person says no.
import { given, hear, say } from './lines.mjs'
import * as client from 'openid-client'

const { issuer, clientId } = given

const config = await client.discovery(new URL(issuer), clientId, undefined, client.None(), {
  execute: [client.allowInsecureRequests],
})

const started = await client.initiateDeviceAuthorization(config, {
  scope: 'openid profile offline_access',
})
say(started)
const tokens = await client.pollDeviceAuthorizationGrant(config, { ...started, interval: 1 })
const claims = tokens.claims()
const person = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
say({ claims, person, refreshed: refreshed.claims().sub })

const again = await client.initiateDeviceAuthorization(config, { scope: 'openid' })
say(again)
await hear()
try {
  await client.pollDeviceAuthorizationGrant(config, { ...again, interval: 1 })
  say({ error: null })
} catch (error) {
  say({ error: error.error })
}
