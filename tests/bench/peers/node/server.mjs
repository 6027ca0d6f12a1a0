// oidc-provider on Redis: node server.mjs PORT REDIS_URL
//
// At its best: one pipeline a step where its adapter's contract lets it, RS256 by WebCrypto, JWT
// access tokens, no pages, nobody's consent asked. /seeds/KIND gives what loads draw on.
import { generateKeyPairSync } from "node:crypto";
import Redis from "ioredis";
import Keygrip from "keygrip";
import Provider from "oidc-provider";

const [port, redisUrl] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const api = "https://api.example.org";
const callback = "https://app.example.com/callback";
const scope = "openid profile email";
const cookieKeys = ["a-key-of-the-benchmark-for-cookies"];
const redis = new Redis(redisUrl, { keyPrefix: "peer:", enableAutoPipelining: true });

class Adapter {
  constructor(model) {
    this.model = model;
  }
  name(id) {
    return `${this.model}:${id}`;
  }
  async upsert(id, payload, seconds) {
    const steps = redis.multi().set(this.name(id), JSON.stringify(payload), "EX", seconds);
    if (payload.uid) steps.set(`uid:${payload.uid}`, id, "EX", seconds);
    if (payload.grantId && this.model !== "Session") {
      steps.sadd(`of:${payload.grantId}`, this.name(id)).expire(`of:${payload.grantId}`, seconds);
    }
    await steps.exec();
  }
  async find(id) {
    const [text, consumed] = await redis.mget(this.name(id), `consumed:${this.name(id)}`);
    return text ? { ...JSON.parse(text), ...(consumed && { consumed: Number(consumed) }) } : undefined;
  }
  async findByUid(uid) {
    const id = await redis.get(`uid:${uid}`);
    return id ? this.find(id) : undefined;
  }
  async consume(id) {
    await redis.set(`consumed:${this.name(id)}`, Math.floor(Date.now() / 1000), "EX", 86400);
  }
  async destroy(id) {
    await redis.del(this.name(id));
  }
  async revokeByGrantId(grantId) {
    const names = await redis.smembers(`of:${grantId}`);
    await redis.del(`of:${grantId}`, ...names);
  }
}

const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
const provider = new Provider(issuer, {
  adapter: Adapter,
  jwks: { keys: [{ ...key, alg: "RS256", use: "sig" }] },
  cookies: { keys: cookieKeys },
  clients: [
    {
      client_id: "app",
      client_secret: "a-secret-of-the-benchmark-that-is-long",
      redirect_uris: [callback],
      grant_types: ["authorization_code", "refresh_token", "client_credentials"],
      scope: `${scope} offline_access`,
    },
  ],
  claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: id, email: `${id}@example.com`, email_verified: true }),
  }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => api,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: "read",
        audience: api,
        accessTokenTTL: 3600,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  issueRefreshToken: () => true,
  rotateRefreshToken: () => true,
  pkce: { required: () => true },
  ttl: { AccessToken: 3600, ClientCredentials: 3600, RefreshToken: 86400, Grant: 86400, Session: 86400 },
  interactions: { url: () => "/nobody" },
});

async function grantFor(accountId) {
  const grant = new provider.Grant({ accountId, clientId: "app" });
  grant.addOIDCScope(scope);
  grant.addResourceScope(api, "read");
  return grant.save();
}

const seeds = {
  async cookies(accountId) {
    const session = new provider.Session({ accountId, loginTs: Math.floor(Date.now() / 1000) });
    session.authorizations = { app: { sid: `sid-${accountId}`, grantId: await grantFor(accountId) } };
    await session.save(86400);
    const name = provider.cookieName("session");
    const cookie = `${name}=${session.jti}`;
    return `${cookie}; ${name}.sig=${new Keygrip(cookieKeys).sign(cookie)}`;
  },
  async refresh(accountId) {
    const client = await provider.Client.find("app");
    const token = new provider.RefreshToken({
      accountId, client, scope, grantId: await grantFor(accountId), gty: "authorization_code",
      authTime: Math.floor(Date.now() / 1000), resource: api, claims: {}, nonce: "a-nonce",
    });
    return token.save();
  },
  async access(accountId) {
    // A JWT cannot be introspected here: an opaque one is what its introspection is for.
    const client = await provider.Client.find("app");
    const grantId = await grantFor(accountId);
    return new provider.AccessToken({ accountId, client, scope, grantId, gty: "authorization_code" }).save();
  },
};

provider.use(async (ctx, next) => {
  const kind = ctx.path.startsWith("/seeds/") && ctx.path.slice("/seeds/".length);
  if (!kind) return next();
  const people = Array.from({ length: 256 }, (_, number) => `person.${number}`);
  ctx.body = (await Promise.all(people.map((one) => seeds[kind](one)))).join("\n");
});
provider.listen(Number(port), "127.0.0.1");
