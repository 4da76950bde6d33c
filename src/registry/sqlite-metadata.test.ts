import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { openDatabase } from "../internal/sqlite.ts";
import { digestOf } from "../oci/index.ts";
import { testGarbage } from "./collect/garbage.conformance.ts";
import { testRegistryMetadata } from "./metadata.conformance.ts";
import { testQuotas } from "./quota.conformance.ts";
import { GARBAGE_SQL } from "./sqlite-garbage.ts";
import { openSqliteMetadata } from "./sqlite-metadata.ts";
import { MIGRATIONS } from "./sqlite-schema.ts";

const folder = await mkdtemp(join(tmpdir(), "dray-registry-metadata-"));
after(() => rm(folder, { recursive: true }));
let files = 0;

for (const [name, pathOf] of [
  ["in memory", (): string => ":memory:"],
  ["in a file", (): string => join(folder, `${files++}.db`)],
] as const) {
  testRegistryMetadata(name, async () => openSqliteMetadata(pathOf()));
  testGarbage(name, async (clock) => openSqliteMetadata(pathOf(), { clock }));
  testQuotas(name, async () => openSqliteMetadata(pathOf()));
}

test("two connections to one file see each other's changes, and each other's generation moves", async () => {
  const path = join(folder, "shared.db");
  await using one = openSqliteMetadata(path);
  await using two = openSqliteMetadata(path);
  const manifest = { digest: digestOf("m"), mediaType: "text/plain", size: 1 };
  const before = [one.generation(), two.generation()];
  await one.putManifest("r", manifest, { tags: ["t"], blobs: [], manifests: [] });
  assert.notEqual(one.generation(), before[0]);
  assert.notEqual(two.generation(), before[1]);
  assert.equal((await two.findTag("r", "t"))?.digest, manifest.digest);
  const quiet = two.generation();
  await two.findTag("r", "t");
  assert.equal(two.generation(), quiet);
});

test("listContent() names everything that some repository shows, and nothing else", async () => {
  await using metadata = openSqliteMetadata(":memory:");
  const manifest = { digest: digestOf("m"), mediaType: "application/x", size: 1 };
  const blob = { digest: digestOf("b"), size: 2 };
  await metadata.putManifest("r", manifest, { tags: [], blobs: [], manifests: [] });
  await metadata.linkBlob("s", blob);
  await metadata.linkBlob("s", { digest: digestOf("gone"), size: 3 });
  await metadata.unlinkBlob("s", digestOf("gone"));
  const content = [...metadata.listContent()].map((entry) => ({ ...entry }));
  assert.deepEqual(content, [manifest, { ...blob, mediaType: "application/octet-stream" }]);
});

test("what was stored is there after closing and opening again", async () => {
  const path = join(folder, "again.db");
  {
    await using metadata = openSqliteMetadata(path);
    await metadata.createUpload({ id: "u", repository: "r", startedAt: 5 });
    await metadata.linkBlob("r", { digest: digestOf("b"), size: 1 });
  }
  await using metadata = openSqliteMetadata(path);
  assert.deepEqual(await metadata.findUpload("u"), { id: "u", repository: "r", startedAt: 5 });
  assert.notEqual(await metadata.findBlob("r", digestOf("b")), undefined);
});

test("no statement that looks for garbage scans a table", () => {
  using database = openDatabase(":memory:", { migrations: MIGRATIONS });
  for (const [name, sql] of Object.entries(GARBAGE_SQL)) {
    const values = Array.from({ length: sql.split("?").length - 1 }, () => 1);
    const plan = database.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values);
    for (const { detail } of plan) {
      assert.doesNotMatch(
        detail,
        /^SCAN (?!CONSTANT ROW|m USING INDEX manifests_unread$)|TEMP B-TREE/,
        `${name}: ${detail}`,
      );
    }
  }
});

test("a database of before counts what it holds, and takes nothing for garbage that it hasn't read", async () => {
  const path = join(folder, "old.db");
  const [blob, index] = [digestOf("blob"), digestOf("index")];
  {
    using old = openDatabase(path, { migrations: MIGRATIONS.slice(0, 1) });
    old.run("INSERT INTO repositories (id, name) VALUES (1, 'r')");
    old.run("INSERT INTO blobs VALUES (1, ?, 70, 5), (1, ?, 7, 5)", blob, digestOf("stray"));
    old.run("INSERT INTO manifests VALUES (1, ?, 'm', 20, 5), (1, ?, 'i', 3, 5)", digestOf("child"), index);
    old.run("INSERT INTO tags VALUES (1, 't', ?, 5)", index);
  }
  await using metadata = openSqliteMetadata(path, { clock: () => 1_000 });
  const quotas = [{ name: "r", below: false, maxBytes: 100, maxTags: 1 }];
  assert.equal((await metadata.linkBlob("r", { digest: digestOf("new"), size: 1 }, { quotas }))?.used, 100);
  const { garbage } = metadata;
  const listed = await garbage.listLoose({ kind: "blob", before: 1_000, limit: 9 });
  assert.deepEqual(await garbage.dropLooseBlobs(listed, 1_000), []);
  assert.equal((await garbage.listUnread(9)).length, 2);
  await garbage.recordLinks("r", digestOf("child"), [blob]);
  await garbage.recordLinks("r", index, [digestOf("child")]);
  assert.deepEqual(await garbage.listUnread(9), []);
  const dropped = await garbage.dropLooseBlobs(listed, 1_000);
  assert.deepEqual(
    dropped.map((one) => one.digest),
    [digestOf("stray")],
  );
  assert.deepEqual(await garbage.listLoose({ kind: "manifest", before: 1_000, limit: 9 }), []);
});
