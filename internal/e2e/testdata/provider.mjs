// A company's identity provider: the npm package oidc-provider with pages of
// its own for who you are and a second factor. The test changes people's groups
// and accounts under /test/.
import http from "node:http";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const { npm, port, vault, secret, people } = JSON.parse(process.argv[2]);
const { default: Provider } = await import(pathToFileURL(join(npm, "node_modules/oidc-provider/lib/index.js")));

const issuer = `http://127.0.0.1:${port}`;
const accounts = new Map(people.map((p) => [p.id, p]));
const provider = new Provider(issuer, {
  clients: [{
    client_id: "vault", client_secret: secret, redirect_uris: [`${vault}/oidc/callback`], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
    backchannel_logout_uri: `${vault}/oidc/logout`, backchannel_logout_session_required: true,
  }],
  cookies: { keys: ["of a test"] },
  scopes: ["openid", "offline_access"],
  acrValues: ["pwd", "mfa"],
  // Groups and names are at the userinfo endpoint, as is this provider's way.
  claims: { openid: ["sub"], acr: null, amr: null, auth_time: null, sid: null, profile: ["name", "groups"], email: ["email"] },
  features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options), // the vault is on this machine
  async findAccount(_, id) {
    const person = accounts.get(id);
    if (!person || person.disabled) return undefined;
    return { accountId: id, claims: async () => ({ sub: id, name: person.name, email: `${id}@acme.example`, groups: person.groups }) };
  },
  async loadExistingGrant(ctx) { // the company has consented for its people
    const known = ctx.oidc.session.grantIdFor(ctx.oidc.client.clientId);
    if (known) return ctx.oidc.provider.Grant.find(known);
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope("openid profile email offline_access");
    await grant.save();
    return grant;
  },
});

const page = (body) => `<!doctype html><meta charset="utf-8"><title>Acme sign-in</title>
<style>body{font:16px system-ui;max-width:22rem;margin:4rem auto}label,button{display:block;margin:1rem 0}</style><h1>Acme sign-in</h1>${body}`;

async function interaction(req, res, posted) {
  const details = await provider.interactionDetails(req, res);
  if (posted) {
    const strong = posted.get("factor") === "on";
    const login = { accountId: posted.get("person"), acr: strong ? "mfa" : "pwd", amr: strong ? ["pwd", "otp", "mfa"] : ["pwd"], remember: true };
    return provider.interactionFinished(req, res, { login }, { mergeWithLastSubmission: false });
  }
  const buttons = [...accounts.values()].map((p) => `<button class="company" name="person" value="${p.id}">${p.name}</button>`).join("");
  res.setHeader("content-type", "text/html; charset=utf-8");
  res.end(page(`<form method="post"><p id="asked">${details.params.acr_values ?? ""}</p><label><input type="checkbox" name="factor"> with a second factor</label>${buttons}</form>`));
}

async function body(req) {
  let text = "";
  for await (const chunk of req) text += chunk;
  return text;
}

const callback = provider.callback();
http.createServer(async (req, res) => {
  try {
    if (req.url.startsWith("/test/")) {
      const person = JSON.parse(await body(req));
      accounts.set(person.id, { ...accounts.get(person.id), ...person });
      res.end("ok");
    } else if (req.url.startsWith("/interaction/")) {
      await interaction(req, res, req.method === "POST" ? new URLSearchParams(await body(req)) : null);
    } else {
      callback(req, res);
    }
  } catch (err) {
    console.error(err);
    res.statusCode = 500;
    res.end(page("<p>broken</p>"));
  }
}).listen(port, "127.0.0.1", () => console.log("ready"));
for (const event of ["server_error", "grant.error", "authorization.error", "backchannel.error"]) provider.on(event, (...all) => console.error(event, all.find((a) => a instanceof Error)?.message, all.find((a) => a instanceof Error)?.error_detail ?? ""));
