// Serves one of the sites on a port of this machine: node serve.mjs express|authjs|activity PORT
import express from "express";

const [kind, port] = process.argv.slice(2);

// A site of Auth.js; the configuration is the one that Next.js is given.
async function authjs() {
  const { ExpressAuth } = await import("@auth/express");
  const { handlers } = await import("./auth.js");
  const app = express();
  app.set("trust proxy", true);
  app.use(/\/api\/auth\/(.*)/, ExpressAuth(handlers));
  return app;
}

const imported = async (file) => (await import(file)).app;
const sites = {
  authjs,
  express: () => imported("./site.mjs"),
  activity: () => imported("./activity_server.mjs"),
};
const app = await sites[kind]();
// From then on it is later: an access token of five minutes has run out.
app.get("/later", (request, response) => {
  const now = Date.now;
  Date.now = () => now() + 301_000;
  response.send("later");
});
app.get("/ready", (request, response) => response.send("ready"));
app.listen(Number(port), "127.0.0.1");
