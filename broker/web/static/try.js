// Walks a code flow with PKCE against the broker that serves this page, and shows every step.
// Tokens are kept in this module's memory alone; what is shown of them cannot be used.

const KEPT = "docs.try"; // what has to be the same when the person comes back
const list = document.getElementById("steps");
const { issuer, client } = list.dataset;
const redirectUri = `${issuer}/docs/try`;
const words = new Map();
for (const p of document.getElementById("words").content.querySelectorAll("p")) {
  words.set(`${p.dataset.of}:${p.dataset.name}`, p.textContent);
}
let provider; // the discovery document
let tokens = {};

// --- bytes and text

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const bytesOf = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const sha256 = async (text) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
const decoded = (part) => JSON.parse(new TextDecoder().decode(bytesOf(part)));

// A JWT without most of its signature, an opaque token without most of itself: neither can be used.
function shortened(token) {
  const parts = token.split(".");
  if (parts.length !== 3) return `${token.slice(0, 8)}…`;
  return `${parts[0]}.${parts[1]}.${parts[2].slice(0, 6)}…`;
}

const SECRET = new Set(["access_token", "id_token", "refresh_token", "token"]);
const safe = (name, value) =>
  SECRET.has(name) && typeof value === "string" ? shortened(value) : value;

// --- what is shown

function made(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function code(caption, text) {
  const figure = made("figure", "", { class: "file" });
  const pre = made("pre", "", { tabindex: "0", role: "group", "aria-label": caption });
  pre.append(made("code", text));
  figure.append(made("figcaption", caption), pre);
  return figure;
}

function explained(kind, values, caption) {
  const frame = made("div", "", { class: "wide", tabindex: "0", role: "group", "aria-label": caption });
  const table = made("table");
  table.append(made("caption", caption));
  const body = made("tbody");
  for (const [name, value] of Object.entries(values)) {
    const row = made("tr");
    const head = made("th", "", { scope: "row" });
    head.append(made("code", name));
    const told = made("td");
    told.append(made("code", typeof value === "object" ? JSON.stringify(value) : String(value)));
    const moment = ["exp", "iat", "auth_time", "updated_at"].includes(name);
    if (moment) told.append(` ${new Date(value * 1000).toISOString().replace(".000Z", " UTC").replace("T", " ")}`);
    row.append(head, told, made("td", words.get(`${kind}:${name}`) ?? ""));
    body.append(row);
  }
  table.append(body);
  frame.append(table);
  return frame;
}

function step(title, about, ...parts) {
  const item = made("li");
  const section = made("div");
  section.append(made("h2", title), made("p", about), ...parts);
  item.append(section);
  list.append(item);
  return section;
}

const lines = (fields) =>
  [...fields].map(([name, value]) => `${name}=${safe(name, value)}`).join("\n");

// Ask the broker, and return what was asked and answered as things to show, with the answer.
async function ask(method, address, { fields, bearer } = {}) {
  const headers = new Headers();
  if (bearer) headers.set("Authorization", `Bearer ${bearer}`);
  const body = fields ? new URLSearchParams(fields) : undefined;
  const answer = await fetch(address, { method, headers, body, credentials: "omit" });
  const text = await answer.text();
  const said = text ? JSON.parse(text) : {};
  const request = [`${method} ${address}`];
  if (bearer) request.push(`Authorization: Bearer ${shortened(bearer)}`);
  if (body) request.push("", lines(body));
  const shown = text ? JSON.stringify(said, safe, 2) : "";
  const figures = [
    code("Request", request.join("\n")),
    code("Answer", `${answer.status}\n${shown}`.trim()),
  ];
  return { figures, said, ok: answer.ok };
}

function fail(text) {
  const place = document.getElementById("failed");
  place.textContent = text;
  place.hidden = false;
}

// --- the steps

async function discover() {
  const address = `${issuer}/.well-known/openid-configuration`;
  const { figures, said } = await ask("GET", address);
  if (said.issuer !== issuer) throw new Error("the discovery document is another issuer's");
  provider = said;
  step("Discovery", "A library asks once for everything that it has to know.", ...figures);
}

async function prepare(form) {
  list.replaceChildren();
  await discover();
  const asked = new FormData(form);
  const kept = { verifier: random(), state: random(), nonce: random() };
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
  const request = {
    client_id: client,
    redirect_uri: redirectUri,
    response_type: "code",
    scope: ["openid", ...asked.getAll("scope")].join(" "),
    state: kept.state,
    nonce: kept.nonce,
    code_challenge: base64url(await sha256(kept.verifier)),
    code_challenge_method: "S256",
  };
  if (asked.has("prompt")) request.prompt = "consent";
  const address = `${provider.authorization_endpoint}?${new URLSearchParams(request)}`;
  const go = made("a", "Go there and sign in", { class: "button", href: address, id: "go" });
  step(
    "Authorization request",
    "The browser goes to the broker with this. The verifier behind the challenge stays here.",
    code("Address", `GET ${provider.authorization_endpoint}`),
    explained("field", request, "Parameters"),
    go,
  );
  go.focus();
}

async function finish(answer) {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  sessionStorage.removeItem(KEPT);
  if (kept === null || answer.get("state") !== kept.state) {
    throw new Error("This answer is to no question of this page: its state is unknown. Begin anew.");
  }
  if (answer.get("iss") !== issuer) throw new Error("The answer is another issuer's. Begin anew.");
  await discover();
  const fields = Object.fromEntries([...answer].filter(([name]) => name !== "error_description"));
  step(
    "The answer",
    "The browser comes back. State and issuer are compared before anything else is believed.",
    explained("field", fields, "Parameters"),
  );
  if (answer.has("error")) {
    throw new Error(`${answer.get("error")}: ${answer.get("error_description") ?? "no more is said"}`);
  }
  await redeem(answer.get("code"), kept);
}

async function redeem(spent, kept) {
  const fields = {
    grant_type: "authorization_code",
    client_id: client,
    code: spent,
    redirect_uri: redirectUri,
    code_verifier: kept.verifier,
  };
  await take("The code for tokens", "Once, with the verifier. An app with a secret proves itself too.", fields);
  const claims = decoded(tokens.id_token.split(".")[1]);
  if (claims.nonce !== kept.nonce) throw new Error("The ID token answers another request.");
  await userinfo();
}

async function take(title, about, fields) {
  const { figures, said, ok } = await ask("POST", provider.token_endpoint, { fields });
  const section = step(title, about, ...figures);
  if (!ok) throw new Error(`${said.error}: ${said.error_description ?? ""}`);
  tokens = { ...tokens, ...said };
  await judge("ID token", "For this app: who signed in.", said.id_token, client);
  await judge("Access token", "For an API: this one is for this page alone.", said.access_token, client);
  document.getElementById("more").hidden = false;
  section.scrollIntoView({ block: "start" });
}

async function judge(title, about, token, audience) {
  if (!token) return;
  const [head, body] = token.split(".");
  const header = decoded(head);
  const claims = decoded(body);
  const good = await verified(token, header);
  const meant = claims.iss === issuer && [claims.aud].flat().includes(audience);
  const lives = claims.exp > Date.now() / 1000 - 60;
  const seen = `Signature ${good ? "verified" : "NOT verified"} with key ${header.kid}; issuer and audience ${meant ? "are right" : "are WRONG"}; ${lives ? "not expired" : "EXPIRED"}.`;
  step(
    title,
    about,
    code("As it came", shortened(token)),
    explained("header", header, "Header"),
    explained("claim", claims, "Claims"),
    made("p", seen, { class: good && meant && lives ? "verdict" : "verdict bad" }),
  );
}

async function verified(token, header) {
  const known = { RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } };
  const algorithm = known[header.alg]; // from a list of ours, not from the token
  const { keys } = await (await fetch(provider.jwks_uri, { credentials: "omit" })).json();
  const found = keys.find((key) => key.kid === header.kid);
  if (!algorithm || !found) return false;
  const key = await crypto.subtle.importKey("jwk", found, algorithm, false, ["verify"]);
  const [head, body, signature] = token.split(".");
  const signed = new TextEncoder().encode(`${head}.${body}`);
  return crypto.subtle.verify(algorithm, key, bytesOf(signature), signed);
}

async function userinfo() {
  const { figures, said } = await ask("GET", provider.userinfo_endpoint, { bearer: tokens.access_token });
  step(
    "Userinfo",
    "The same claims, for as long as the grant lives: the broker looks, where a JWT is believed until it expires.",
    ...figures,
    explained("claim", said, "Claims"),
  );
}

async function refresh() {
  const fields = { grant_type: "refresh_token", client_id: client, refresh_token: tokens.refresh_token };
  await take("Refresh", "The refresh token is spent; a new one comes with the new tokens.", fields);
}

async function revoke() {
  const fields = { client_id: client, token: tokens.refresh_token };
  const { figures, said, ok } = await ask("POST", provider.revocation_endpoint, { fields });
  const over = "The grant is over: nothing of it refreshes, and userinfo refuses its access tokens.";
  step("Revocation", ok ? over : "The broker did not do it: they can be given back once more.", ...figures);
  if (!ok) throw new Error(`${said.error}: ${said.error_description ?? ""}`);
  await userinfo();
  tokens = {};
  document.getElementById("more").hidden = true;
}

// --- events

async function attempt(act) {
  document.getElementById("failed").hidden = true;
  for (const button of document.querySelectorAll("button")) button.disabled = true;
  try {
    await act();
  } catch (error) {
    fail(error.message);
  } finally {
    for (const button of document.querySelectorAll("button")) button.disabled = false;
  }
}

const form = document.getElementById("begin");
form.hidden = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(() => prepare(form));
});
document.getElementById("refresh").addEventListener("click", () => attempt(refresh));
document.getElementById("revoke").addEventListener("click", () => attempt(revoke));

const answer = new URLSearchParams(location.search);
if (answer.has("state")) {
  history.replaceState(null, "", location.pathname); // the code is for this page, not for its history
  attempt(() => finish(answer));
}
