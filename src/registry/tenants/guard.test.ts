import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { digestOf } from "../../oci/index.ts";
import { openSqliteAccessStore } from "../access/sqlite-store.ts";
import { basic } from "../access/testing.ts";
import { ACCESS_FILE, openRegistryDirectory, type RegistryDirectoryOptions } from "../directory.ts";
import type { TenantLogins } from "./delivery.ts";
import { deleteTenant } from "./remove.ts";
import { createTenant, setTenantQuota, type TenantStores } from "./renew.ts";
import { openSqliteTenantStore, TENANTS_FILE } from "./sqlite-store.ts";
import { openSqliteMetadata } from "../sqlite-metadata.ts";

type Send = (method: string, path: string, logins?: TenantLogins["push"], body?: string) => Promise<Response>;

interface World {
  readonly folder: string;
  readonly stores: TenantStores;
  readonly send: Send;
  readonly tenant: (name: string, quota?: object) => Promise<TenantLogins>;
}

/** A registry that runs, and beside it, over connections of its own, whoever looks after its tenants. */
async function setUp(t: TestContext, options: RegistryDirectoryOptions = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-guard-"));
  const registry = await openRegistryDirectory(folder, { tenants: true, ...options });
  const tenants = openSqliteTenantStore(join(folder, TENANTS_FILE));
  const access = openSqliteAccessStore(join(folder, ACCESS_FILE));
  t.after(async () => {
    await registry.close();
    await tenants[Symbol.asyncDispose]();
    await access[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const send: Send = async (method, path, login, body) => {
    const headers = login === undefined ? {} : basic(login.login, login.secret.reveal());
    const init = { method, headers, ...(body !== undefined && { body: Buffer.from(body) }) };
    return await registry.fetch(new Request(new URL(path, "http://registry"), init));
  };
  const stores = { tenants, access };
  const tenant = async (name: string, quota = {}): Promise<TenantLogins> => {
    let handed: TenantLogins | undefined;
    const draft = { name, registry: "registry", quota, deletes: false, namespaces: [] };
    await createTenant(stores, draft, { hand: async (logins) => void (handed = logins) });
    assert.ok(handed !== undefined);
    return handed;
  };
  return { folder, stores, send, tenant };
}

function upload(repository: string, text: string): readonly [string, string] {
  return [`/v2/${repository}/blobs/uploads/?digest=${digestOf(text)}`, text];
}

test("a registry is open until it has a tenant, wants logins from that moment on, and is open again after the last", async (t) => {
  const { folder, stores, send, tenant } = await setUp(t);
  const [path, text] = upload("free/app", "x");
  assert.equal((await send("POST", path, undefined, text)).status, 201);
  assert.equal((await send("GET", "/v2/_catalog")).status, 200);
  const { push, pull } = await tenant("acme");
  for (const where of ["/v2/", "/v2/_catalog", "/v2/free/app/tags/list", "/v2/acme/app/tags/list"]) {
    assert.equal((await send("GET", where)).status, 401, where);
  }
  assert.equal((await send("POST", ...withLogin(upload("acme/app", "y"), undefined))).status, 401);
  assert.equal((await send("POST", ...withLogin(upload("acme/app", "y"), push))).status, 201);
  assert.equal((await send("POST", ...withLogin(upload("acme/app", "z"), pull))).status, 403);
  assert.equal((await send("POST", ...withLogin(upload("free/app", "z"), push))).status, 403);
  assert.equal((await send("GET", `/v2/acme/app/blobs/${digestOf("y")}`, pull)).status, 200);
  assert.equal((await send("DELETE", `/v2/acme/app/blobs/${digestOf("y")}`, push)).status, 403);
  await using metadata = openSqliteMetadata(join(folder, "registry.db"));
  await deleteTenant(stores, "acme", { metadata, images: "delete" });
  assert.equal((await send("GET", "/v2/_catalog")).status, 200);
});

test("images that a tenant left are nobody's, though nobody is a tenant any more", async (t) => {
  const { folder, stores, send, tenant } = await setUp(t);
  const { push } = await tenant("acme");
  assert.equal((await send("POST", ...withLogin(upload("acme/app", "y"), push))).status, 201);
  const index = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}';
  assert.equal((await send("PUT", "/v2/acme/app/manifests/1", push, index)).status, 201);
  await using metadata = openSqliteMetadata(join(folder, "registry.db"));
  await deleteTenant(stores, "acme", { metadata, images: "keep" });
  assert.equal((await send("GET", "/v2/acme/app/manifests/1")).status, 401);
  assert.equal((await send("GET", "/v2/acme/app/manifests/1", push)).status, 401);
});

test("a quota holds for all repositories of a tenant together, as it is at this moment, and for nobody else", async (t) => {
  const { stores, send, tenant } = await setUp(t);
  const acme = await tenant("acme", { maxBytes: 10 });
  const globex = await tenant("globex");
  const push = async (repository: string, text: string, by: TenantLogins): Promise<number> =>
    (await send("POST", ...withLogin(upload(repository, text), by.push))).status;
  assert.equal(await push("acme/one", "12345", acme), 201);
  assert.equal(await push("acme/two", "678901", acme), 403);
  assert.equal(await push("globex/app", "12345678901", globex), 201);
  await setTenantQuota(stores, "acme", { maxBytes: 11 });
  assert.equal(await push("acme/two", "678901", acme), 201);
  assert.equal(await push("acme", "1", acme), 403);
});

test("where somebody else decides who may do what, tenants change only quotas", async (t) => {
  const { send, tenant } = await setUp(t, { authorize: () => ({ allowed: true }) });
  await tenant("acme", { maxBytes: 3 });
  assert.equal((await send("POST", ...withLogin(upload("acme/app", "123"), undefined))).status, 201);
  assert.equal((await send("POST", ...withLogin(upload("acme/app", "4"), undefined))).status, 403);
});

function withLogin(
  [path, text]: readonly [string, string],
  login: TenantLogins["push"] | undefined,
): readonly [string, TenantLogins["push"] | undefined, string] {
  return [path, login, text];
}
