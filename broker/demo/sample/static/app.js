// What people see. The protocol itself is in oidc.js.

import { Client, ProtocolError, decode } from "/oidc.js";
import { moment, showGuilds, showRights } from "/community.js";

const $ = (id) => document.getElementById(id);

// Tokens stay in this tab's sessionStorage, so that a reload keeps the sign-in. A page with
// third-party scripts would keep them in a server of its own instead.
const store = {
  read: () => JSON.parse(sessionStorage.getItem("tokens") || "null"),
  write: (tokens) => sessionStorage.setItem("tokens", JSON.stringify(tokens)),
  clear: () => sessionStorage.removeItem("tokens"),
};

const MEANINGS = {
  iss: "who issued it: the broker",
  sub: "who you are, for ever",
  aud: "who may accept it",
  exp: "good until",
  iat: "issued",
  auth_time: "when you signed in",
  nbf: "not good before",
  jti: "this token’s own number",
  client_id: "the app it was given to",
  scope: "what it is for",
  nonce: "repeats this page’s request",
  sid: "your session at the broker",
  at_hash: "ties it to the access token",
  name: "your name at Discord",
  preferred_username: "your username at Discord",
  picture: "your picture",
  email: "your e-mail address",
  email_verified: "whether Discord has checked it",
  amr: "how you proved who you are",
  acr: "how strong that proof was",
  azp: "the app it was given to",
  locale: "your language",
  updated_at: "when your profile last changed",
  cnf: "the key it is bound to",
  grant_id: "the grant it belongs to",
  guilds: "what you are in the servers this app knows of",
  roles: "this app’s own roles, by your roles at Discord",
  membership_as_of: "when Discord was last asked about that",
};
const TIMES = new Set(["exp", "iat", "nbf", "auth_time", "updated_at", "membership_as_of"]);

let client;
let tokens;
let rotations = 0;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function log(what, detail, good = true) {
  const item = element("li", undefined, good ? "good" : "bad");
  item.append(element("span", what), element("code", detail));
  $("log").prepend(item);
  while ($("log").children.length > 9) $("log").lastChild.remove();
}

async function logged(what, url, options = {}) {
  const started = performance.now();
  const path = new URL(url, location.origin).pathname;
  const method = options.method || "GET";
  const answer = await fetch(url, { cache: "default", credentials: "omit", ...options });
  const took = Math.max(1, Math.round(performance.now() - started));
  log(what, `${method} ${path} → ${answer.status} · ${took} ms`, answer.ok);
  return answer;
}

const TITLES = {
  access_denied: "You were not signed in.",
  invalid_grant: "You are signed out.",
};

function problem(error) {
  $("problem-title").textContent = TITLES[error.code] || "That did not work.";
  $("problem-text").textContent = error.message === "access_denied"
    ? "The sign-in was cancelled. Nothing was shared."
    : error.message;
  $("problem").hidden = false;
}

function show(section) {
  for (const name of ["busy", "welcome", "home"]) $(name).hidden = name !== section;
  $("sign-out").hidden = section !== "home";
}

function claimList(list, claims) {
  list.replaceChildren();
  for (const [name, value] of Object.entries(claims)) {
    const shown = TIMES.has(name)
      ? moment(value)
      : typeof value === "string" ? value : JSON.stringify(value);
    const row = element("div");
    const term = element("dt");
    term.append(element("code", name));
    const about = element("dd");
    about.append(element("span", shown, "value"));
    if (MEANINGS[name]) about.append(element("span", MEANINGS[name], "meaning"));
    row.append(term, about);
    list.append(row);
  }
}

function initialsOf(name) {
  const words = name.split(/[\s._-]+/).filter(Boolean);
  return words.slice(0, 2).map((word) => [...word][0].toUpperCase()).join("") || "?";
}

function showPerson(claims) {
  const name = claims.name || claims.preferred_username || claims.sub;
  $("person-name").textContent = name;
  $("initials").textContent = initialsOf(name);
  const email = claims.email && `${claims.email}${claims.email_verified ? "" : " (unverified)"}`;
  const handle = claims.preferred_username && `@${claims.preferred_username}`;
  $("person-handle").textContent = [handle, email].filter(Boolean).join(" · ");
  $("avatar").querySelector("img")?.remove();
  if (claims.picture && client.config.pictures && claims.picture.startsWith(`${client.config.pictures}/`)) {
    const image = new Image();
    image.alt = "";
    image.onload = () => $("avatar").append(image);
    image.src = claims.picture;
  }
}

function showTokens() {
  const idToken = decode(tokens.id_token);
  const access = decode(tokens.access_token);
  showPerson(idToken.claims);
  showGuilds(idToken.claims);
  claimList($("id-claims"), idToken.claims);
  claimList($("access-claims"), access.claims);
  $("id-raw").textContent = tokens.id_token;
  $("access-raw").textContent = tokens.access_token;
  $("refresh-raw").textContent = tokens.refresh_token || "none was given";
  $("refresh").disabled = !tokens.refresh_token;
  $("rotations").textContent = rotations ? `replaced ${rotations}×` : "unused";
  $("id-checked").hidden = false;
  tick();
}

function tick() {
  if (!tokens) return;
  const left = Math.round(decode(tokens.access_token).claims.exp - Date.now() / 1000);
  const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  $("access-left").textContent = left > 0 ? `${clock} left` : "expired";
  $("access-left").classList.toggle("bad", left <= 0);
}

async function refresh() {
  const renewed = await client.refresh(tokens.refresh_token);
  tokens = { ...tokens, ...renewed };
  rotations += 1;
  store.write(tokens);
  showTokens();
}

async function refreshAndLook() {
  await refresh();
  await look();
}

// What may be done is the API's to say; here it is only shown.
async function look() {
  const told = await api("Ask the API what I may do", "/api/rights");
  showRights(told);
  const may = Object.fromEntries(told.rights.map((right) => [right.name, right.allowed]));
  $("board").hidden = !may.read_board;
  $("board-form").hidden = !may.write_board;
  if (may.read_board) showNotices(await api("Read the notice board", "/api/board"));
}

// One retry after a refresh: an expired access token is ordinary, a second refusal is not.
async function api(what, path, options = {}) {
  const call = () => logged(what, path, {
    ...options, headers: { ...options.headers, Authorization: `Bearer ${tokens.access_token}` },
  });
  let answer = await call();
  if (answer.status === 401 && tokens.refresh_token) {
    await refresh();
    answer = await call();
  }
  if (!answer.ok) throw new Error(`The API answered ${answer.status}.`);
  return answer.json();
}

function showNotes({ notes }) {
  $("notes").replaceChildren(...notes.map((text) => element("li", text)));
  $("no-notes").hidden = notes.length > 0;
}

function showNotices({ notices }) {
  $("notices").replaceChildren(...notices.map((text) => element("li", text)));
  $("no-notices").hidden = notices.length > 0;
}

async function send(event, what, path, field, showAll) {
  event.preventDefault();
  const text = $(field).value.trim();
  if (!text) return;
  showAll(await api(what, path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text }),
  }));
  $(field).value = "";
}

const addNote = (event) => send(event, "Add a note", "/api/notes", "note", showNotes);
const post = (event) => send(event, "Post a notice", "/api/board", "notice", showNotices);

async function whoami() {
  const seen = await api("Ask the API who I am", "/api/whoami");
  log("The API verified the token", `kid ${seen.kid.slice(0, 12)}…`);
}

function signOut() {
  const url = client.signOutUrl(tokens.id_token);
  store.clear();
  location.assign(url);
}

function forget() {
  store.clear();
  tokens = undefined;
  show("welcome");
}

// The broker tells this app's server when the session ends; the page asks its server.
async function watch() {
  const sid = tokens && decode(tokens.id_token).claims.sid;
  if (!sid || document.hidden) return;
  const answer = await fetch(`/session?${new URLSearchParams({ sid })}`).catch(() => undefined);
  if (!tokens || !answer?.ok || !(await answer.json()).ended) return;
  forget();
  problem(new ProtocolError("invalid_grant", "The broker told this app that your session is over."));
}

function on(id, type, action) {
  $(id).addEventListener(type, async (event) => {
    $("problem").hidden = true;
    try {
      await action(event);
    } catch (error) {
      if (error.code === "invalid_grant") {
        forget();
        error.message = "Your sign-in has ended, or no longer meets what this app asks. Sign in again to see.";
      }
      problem(error);
    }
  });
}

async function start() {
  on("sign-in", "click", () => client.signIn());
  on("sign-out", "click", signOut);
  on("refresh", "click", refreshAndLook);
  on("whoami", "click", whoami);
  on("note-form", "submit", addNote);
  on("board-form", "submit", post);
  $("problem-close").addEventListener("click", () => { $("problem").hidden = true; });
  client = new Client(await (await fetch("/config.json")).json(), logged);
  for (const [id, url] of [["guild-page", client.config.guild_page], ["apps-page", client.config.apps_page]]) {
    if (url) $(id).href = url;
  }
  $("elsewhere").hidden = !client.config.guild_page;
  await client.discover();
  if (location.pathname === "/callback") {
    const query = new URLSearchParams(location.search);
    // The code leaves the address bar before anything else can read it.
    history.replaceState(null, "", "/");
    tokens = await client.finish(query);
    store.write(tokens);
  } else {
    tokens = store.read();
  }
  if (!tokens) {
    show("welcome");
    return;
  }
  showTokens();
  show("home");
  setInterval(tick, 1000);
  setInterval(watch, 2000);
  showNotes(await api("List my notes", "/api/notes"));
  await look();
}

start().catch((error) => {
  // An API that is down for a moment is no reason to forget who is signed in.
  if (!tokens || error.code === "invalid_grant") forget();
  problem(error);
});
