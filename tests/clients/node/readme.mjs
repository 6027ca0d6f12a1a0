// Drives the README's examples: openid-client as a front end, jose as a service.
import * as oidc from "openid-client";
import { hear, say } from "./lines.mjs";
import { begin, finish } from "./readme_openid_client.mjs";
import { verify } from "./readme_jose.mjs";

const { clientId } = JSON.parse(process.argv[2]);
const begun = await begin(clientId, { execute: [oidc.allowInsecureRequests] });
say({ url: begun.url.href });
const { back } = await hear();
const tokens = await finish(begun, back);
const payload = await verify(tokens.access_token);
let refused = null;
try {
  await verify(tokens.id_token);
} catch (error) {
  refused = error.code;
}
say({ sub: tokens.sub, payload, refused, accessToken: tokens.access_token, idToken: tokens.id_token });
