// An OpenID Connect issuer over TLS, for the tests of signing in: node-oidc-provider with its plain forms.
// Usage: node issuer.mjs CERTIFICATE KEY REDIRECT_URI CLAIMS_IN, where CLAIMS_IN is `id_token` or `user_info`.
// Prints `ready URL`.

import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { Provider } from "oidc-provider";

const [certificate, key, redirectUri, claimsIn] = process.argv.slice(2);

const accounts = {
  root: { preferred_username: "root@example.com", groups: ["staff", "root"] },
  noc: { preferred_username: "noc@example.com", groups: ["noc"] },
  admin: { preferred_username: "admin", groups: ["admins"], org: "acme", email: "admin@example.com" },
  watch: { preferred_username: "watch@example.com", acme: { roles: ["watch"] } },
  nobody: { preferred_username: "nobody@example.com", groups: ["staff"] },
};

const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) });
server.listen(0, "127.0.0.1", () => {
  const url = `https://127.0.0.1:${server.address().port}`;
  const provider = new Provider(url, {
    clients: [
      {
        client_id: "pinhole",
        client_secret: "the secret of the client",
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code"],
        response_types: ["code"],
        token_endpoint_auth_method: "client_secret_basic",
      },
    ],
    claims: {
      openid: ["sub"],
      email: ["email"],
      profile: ["preferred_username"],
      groups: ["groups", "org", "acme"],
    },
    conformIdTokenClaims: claimsIn !== "id_token",
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
    async findAccount(_, id) {
      const account = accounts[id];
      return account && { accountId: id, claims: async () => ({ sub: id, ...account }) };
    },
  });
  server.on("request", provider.callback());
  process.stdout.write(`ready ${url}\n`);
});
