// What the tokens say of a person's servers at Discord, and what that lets them do here.

const $ = (id) => document.getElementById(id);

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Names come from people: each keeps its own direction of writing.
const name = (text) => element("bdi", text);

function list(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

// A moment as people here write it, with the zone that it is in.
const WRITTEN = { dateStyle: "medium", timeStyle: "long" };
export const moment = (seconds) => new Date(seconds * 1000).toLocaleString("en-GB", WRITTEN);
const day = (seconds) => new Date(seconds * 1000).toLocaleDateString("en-GB", { dateStyle: "long" });

function describe(guild) {
  const facts = [];
  const roles = (guild.roles || []).map((role) => role.name || role.id);
  facts.push(roles.length ? `You have ${roles.length > 1 ? "the roles" : "the role"} ${list(roles)}.` : "You have no role there.");
  if (guild.joined_at) facts.push(`A member since ${day(guild.joined_at)}.`);
  if (guild.pending) facts.push("You have yet to accept its rules.");
  if (guild.timed_out_until * 1000 > Date.now()) facts.push(`Timed out until ${moment(guild.timed_out_until)}.`);
  return facts.join(" ");
}

export function showGuilds(claims) {
  const guilds = claims.guilds || [];
  $("guilds").replaceChildren(...guilds.map((guild) => {
    const item = element("li");
    const title = element("p", undefined, "guild-name");
    title.append(name(guild.name || guild.id));
    if (guild.nick) title.append(" · as ", name(guild.nick));
    item.append(title, element("p", describe(guild), "quiet"));
    return item;
  }));
  $("community").hidden = !claims.guilds;
}

export function showRights({ roles, as_of, rights }) {
  $("rights").replaceChildren(...rights.map(({ text, role, allowed }) => {
    const item = element("li", undefined, allowed ? "may" : "may-not");
    item.append(element("span", `You may ${allowed ? "" : "not "}${text}`));
    if (role) item.append(element("span", allowed ? `by your role ${role}` : `that takes the role ${role}`, "quiet"));
    return item;
  }));
  const own = roles.length ? `In this app that makes you: ${list(roles)}.` : "In this app that gives you no role.";
  $("as-of").textContent = as_of ? `${own} As Discord said at ${moment(as_of)}.` : own;
}
