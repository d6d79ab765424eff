// An OpenID Connect provider as a process of its own; it prints its address on standard output.
//
// The redirect addresses of its one program, "app", are the arguments after the module's folder.
// Its own pages ask for a login, any name and password, and for consent.

import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import path from "node:path";

const [folder, ...redirectUris] = process.argv.slice(2);
const entry = path.join(folder, "node_modules", "oidc-provider", "lib", "index.js");
const { Provider } = await import(pathToFileURL(entry).href);

const accounts = {
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `${id} Example`, email: `${id}@example.com` }),
  }),
  claims: { openid: ["sub"], profile: ["name"], email: ["email"] },
};

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    ...accounts,
    clients: [
      {
        client_id: "app",
        client_secret: "app secret & more, for tests",
        redirect_uris: redirectUris,
        post_logout_redirect_uris: redirectUris.map((uri) => new URL("/", uri).href),
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
      },
    ],
    cookies: { keys: ["a key for tests only"] },
    pkce: { required: () => true },
    issueRefreshToken: async () => true,
    features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    ttl: { AccessToken: 600, IdToken: 600, RefreshToken: 3600, Session: 600, Grant: 600, Interaction: 600 },
  });
  server.on("request", provider.callback());
  console.log(issuer);
});
