import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { openSqliteAccessStore } from "./sqlite-store.ts";
import { testAccessStore } from "./store.conformance.ts";

const folder = await mkdtemp(join(tmpdir(), "dray-access-store-"));
after(() => rm(folder, { recursive: true }));
let files = 0;

testAccessStore("in memory", async () => openSqliteAccessStore(":memory:"));
testAccessStore("in a file", async () => openSqliteAccessStore(join(folder, `${files++}.db`)));

test("nobody but its owner reads the file, nor its logs", async () => {
  await using store = openSqliteAccessStore(join(folder, "private.db"));
  await store.putUser({ name: "alice", passwordHash: "x", groups: [] });
  const names = (await readdir(folder)).filter((name) => name.startsWith("private.db"));
  assert.ok(names.length > 1, "the log is beside it");
  for (const name of names) assert.equal((await stat(join(folder, name))).mode & 0o077, 0, name);
});

test("another connection's changes move the generation, and are there", async () => {
  const path = join(folder, "shared.db");
  await using one = openSqliteAccessStore(path);
  await using two = openSqliteAccessStore(path);
  const before = two.generation();
  await one.putUser({ name: "alice", passwordHash: "x", groups: [] });
  assert.notEqual(two.generation(), before);
  assert.equal((await two.findUser("alice"))?.passwordHash, "x");
});

test("a folder that isn't there is told with a code", () => {
  const path = join(folder, "none", "access.db");
  assert.throws(() => openSqliteAccessStore(path), { code: "DATABASE_UNAVAILABLE" });
});
