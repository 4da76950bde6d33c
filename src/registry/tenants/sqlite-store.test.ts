import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { openSqliteTenantStore } from "./sqlite-store.ts";
import { testTenantStore } from "./store.conformance.ts";

const folder = await mkdtemp(join(tmpdir(), "dray-tenant-store-"));
after(() => rm(folder, { recursive: true }));
let files = 0;

testTenantStore("in memory", async () => openSqliteTenantStore(":memory:"));
testTenantStore("in a file", async () => openSqliteTenantStore(join(folder, `${files++}.db`)));

test("another connection's changes move the generation, and nobody but the owner reads the file", async () => {
  const path = join(folder, "shared.db");
  await using one = openSqliteTenantStore(path);
  await using two = openSqliteTenantStore(path);
  const before = two.generation();
  const quota = { maxTags: 3 };
  const rest = { createdAt: 1, registry: "r", deletes: false, namespaces: [], revision: 1 };
  await one.add({ name: "acme", quota, ...rest });
  assert.notEqual(two.generation(), before);
  assert.deepEqual((await two.find("acme"))?.quota, quota);
  const names = (await readdir(folder)).filter((name) => name.startsWith("shared.db"));
  assert.ok(names.length > 1, "the log is beside it");
  for (const name of names) assert.equal((await stat(join(folder, name))).mode & 0o077, 0, name);
});

test("a folder that isn't there is told with a code", () => {
  const path = join(folder, "none", "tenants.db");
  assert.throws(() => openSqliteTenantStore(path), { code: "DATABASE_UNAVAILABLE" });
});
