// The protocol, without a library: OpenID Connect code flow with PKCE for a public client.

const encoder = new TextEncoder();

export function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function bytesOf(text) {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
}

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const sha256 = (text) => crypto.subtle.digest("SHA-256", encoder.encode(text));

export class ProtocolError extends Error {
  constructor(code, description) {
    super(description || code);
    this.code = code;
  }
}

export function decode(token) {
  const [header, claims] = token.split(".");
  const read = (part) => JSON.parse(new TextDecoder().decode(bytesOf(part)));
  return { header: read(header), claims: read(claims) };
}

export class Client {
  constructor(config, fetcher) {
    this.config = config;
    this.fetch = fetcher;
    this.redirectUri = `${location.origin}/callback`;
  }

  async discover() {
    const url = `${this.config.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const answer = await this.fetch("Read the discovery document", url);
    this.metadata = await answer.json();
    if (this.metadata.issuer !== this.config.issuer) {
      throw new ProtocolError("wrong_issuer", "The discovery document names another issuer.");
    }
  }

  // Before leaving, keep what the answer must match; this tab alone can read it.
  async signIn() {
    const kept = { state: random(), nonce: random(), verifier: random() };
    sessionStorage.setItem("request", JSON.stringify(kept));
    const query = new URLSearchParams({
      client_id: this.config.client_id,
      redirect_uri: this.redirectUri,
      response_type: "code",
      scope: this.config.scope,
      state: kept.state,
      nonce: kept.nonce,
      code_challenge: base64url(await sha256(kept.verifier)),
      code_challenge_method: "S256",
    });
    if (this.config.resource) query.set("resource", this.config.resource);
    location.assign(`${this.metadata.authorization_endpoint}?${query}`);
  }

  async finish(query) {
    const kept = JSON.parse(sessionStorage.getItem("request") || "null");
    sessionStorage.removeItem("request");
    if (!kept || query.get("state") !== kept.state) {
      throw new ProtocolError("wrong_state", "This answer does not belong to a sign-in of this tab.");
    }
    // RFC 9207: an answer of another server is not taken for the broker's.
    if (query.has("iss") && query.get("iss") !== this.config.issuer) {
      throw new ProtocolError("wrong_issuer", "The answer came from another server.");
    }
    if (query.has("error")) {
      throw new ProtocolError(query.get("error"), query.get("error_description"));
    }
    const tokens = await this.token("Exchange the code for tokens", {
      grant_type: "authorization_code",
      code: query.get("code"),
      redirect_uri: this.redirectUri,
      code_verifier: kept.verifier,
    });
    await this.checkIdToken(tokens.id_token, kept.nonce);
    return tokens;
  }

  refresh(refreshToken) {
    return this.token("Refresh the tokens", {
      grant_type: "refresh_token",
      refresh_token: refreshToken,
    });
  }

  async token(what, fields) {
    const body = new URLSearchParams({ ...fields, client_id: this.config.client_id });
    const answer = await this.fetch(what, this.metadata.token_endpoint, { method: "POST", body });
    const document = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      throw new ProtocolError(document.error || `status ${answer.status}`, document.error_description);
    }
    return document;
  }

  async checkIdToken(token, nonce) {
    const { header, claims } = decode(token);
    const answer = await this.fetch("Read the public keys", this.metadata.jwks_uri);
    const jwk = (await answer.json()).keys.find((key) => key.kid === header.kid);
    const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    if (header.alg !== "RS256" || !jwk) {
      throw new ProtocolError("bad_id_token", "The ID token is signed with an unknown key.");
    }
    const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
    const cut = token.lastIndexOf(".");
    const good = await crypto.subtle.verify(
      algorithm, key, bytesOf(token.slice(cut + 1)), encoder.encode(token.slice(0, cut)),
    );
    const audience = [claims.aud].flat();
    const fits = claims.iss === this.config.issuer && audience.includes(this.config.client_id)
      && claims.nonce === nonce && claims.exp > Date.now() / 1000 - 60;
    if (!good || !fits) {
      throw new ProtocolError("bad_id_token", "The ID token is not the answer to this sign-in.");
    }
  }

  signOutUrl(idToken) {
    const query = new URLSearchParams({
      id_token_hint: idToken,
      client_id: this.config.client_id,
      post_logout_redirect_uri: `${location.origin}/`,
    });
    return `${this.metadata.end_session_endpoint}?${query}`;
  }
}
