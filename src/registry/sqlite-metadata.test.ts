import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { digestOf } from "../oci/index.ts";
import { testRegistryMetadata } from "./metadata.conformance.ts";
import { openSqliteMetadata } from "./sqlite-metadata.ts";

const folder = await mkdtemp(join(tmpdir(), "dray-registry-metadata-"));
after(() => rm(folder, { recursive: true }));
let files = 0;

testRegistryMetadata("in memory", async () => openSqliteMetadata(":memory:"));
testRegistryMetadata("in a file", async () => openSqliteMetadata(join(folder, `${files++}.db`)));

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
