// node-vault, the Node client, as published. Run by node_vault_test.py, which starts the server.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.env.LEASEHOLD_CLIENTS + "/");
const client = (token) => require("node-vault")({ apiVersion: "v1", endpoint: process.env.VAULT_ADDR, token });
const refused = (promise, status) =>
  assert.rejects(promise, (error) => (error.response?.statusCode ?? error.response?.status) === status);

const operator = client();
assert.equal((await operator.initialized()).initialized, false);
const keys = await operator.init({ secret_shares: 2, secret_threshold: 2 });
for (const key of keys.keys) await operator.unseal({ key });
assert.equal((await operator.status()).sealed, false);

const root = client(keys.root_token);
assert.equal((await root.health()).initialized, true);
await root.mount({ mount_point: "secret", type: "kv", description: "ours" });
assert.equal((await root.mounts())["secret/"].type, "kv");

await root.write("secret/app/one", { user: "a", pass: "b" });
assert.deepEqual((await root.read("secret/app/one")).data, { user: "a", pass: "b" });
assert.deepEqual((await root.list("secret/app")).data.keys, ["one"]);
await root.delete("secret/app/one");
await refused(root.read("secret/app/one"), 404);

await root.mount({ mount_point: "two", type: "kv", options: { version: "2" } });
assert.equal((await root.write("two/data/app", { data: { user: "a" }, options: { cas: 0 } })).data.version, 1);
assert.deepEqual((await root.read("two/data/app")).data.data, { user: "a" });
assert.deepEqual((await root.list("two/metadata")).data.keys, ["app"]);
await root.delete("two/data/app");
await refused(root.read("two/data/app"), 404);
await root.unmount({ mount_point: "two" });

await root.addPolicy({ name: "app", rules: 'path "secret/app/*" { capabilities = ["read"] }' });
assert.ok((await root.policies()).policies.includes("app"));
await root.write("secret/app/two", { k: "v" });
// This client goes on as the token it made: node-vault works so.
const { auth } = await client(keys.root_token).tokenCreate({ policies: ["app"], ttl: "1h" });
const app = client(auth.client_token);
assert.equal((await app.read("secret/app/two")).data.k, "v");
await refused(app.write("secret/app/two", { k: "w" }), 403);
assert.equal((await root.tokenLookup({ token: auth.client_token })).data.accessor, auth.accessor);
await app.tokenRenewSelf({ increment: "2h" });
await root.tokenRevoke({ token: auth.client_token });
await refused(app.read("secret/app/two"), 403);
await root.removePolicy({ name: "app" });

const creds = await root.read("database/creds/app").catch((error) => error);
assert.equal(creds.response.statusCode ?? creds.response.status, 404); // nothing is mounted there
await root.unmount({ mount_point: "secret" });
await root.seal();
assert.equal((await operator.status()).sealed, true);
console.log("node-vault: all as expected");
