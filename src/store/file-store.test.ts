import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmodSync, closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { type ContentSource, digestOf } from "../oci/index.ts";
import { testBlobStore } from "./blob-store.conformance.ts";
import { FileBlobStore } from "./file-store.ts";

const root = mkdtempSync(join(tmpdir(), "dray-blobs-"));
after(() => rmSync(root, { recursive: true }));
const folder = (): string => mkdtempSync(join(root, "store-"));

testBlobStore("FileBlobStore", { open: (options) => FileBlobStore.open(folder(), options) });

async function put(store: FileBlobStore, bytes: Buffer): Promise<string> {
  const ingest = await store.ingest("u");
  await ingest.write(bytes);
  await ingest.commit({ digest: digestOf(bytes) });
  return store.pathOf(digestOf(bytes));
}

test("a blob is a read-only file where an image layout has it, and nothing stays in ingest/", async () => {
  const dir = folder();
  const bytes = randomBytes(5_000);
  await using store = await FileBlobStore.open(dir);
  const path = await put(store, bytes);
  assert.equal(path, join(dir, "blobs", "sha256", digestOf(bytes).slice(7)));
  assert.equal(statSync(path).mode & 0o777, 0o444);
  assert.deepEqual(readFileSync(path), bytes);
  await store.close();
  assert.deepEqual(readdirSync(join(dir, "ingest")).toSorted(), ["mutex", "owners"]);
  assert.deepEqual(readdirSync(join(dir, "ingest", "owners")), []);
});

test("two stores on one folder see the same blobs, and never write one ingest together", async () => {
  const dir = folder();
  await using one = await FileBlobStore.open(dir);
  await using two = await FileBlobStore.open(dir);
  const ingest = await one.ingest("u");
  await assert.rejects(two.ingest("u"), { code: "INGEST_BUSY" });
  await ingest.write(Buffer.from("half"));
  await ingest.close();
  const other = await two.ingest("u");
  await other.write(Buffer.from(" done"));
  await assert.rejects(one.ingest("u"), { code: "INGEST_BUSY" });
  await other.commit({ digest: digestOf("half done") });
  assert.equal((await one.find(digestOf("half done")))?.size, 9);
});

test("whoever waits for another store's write hears how much of it is there, and then goes on with it", async () => {
  const dir = folder();
  const bytes = randomBytes(300_000);
  const descriptor = { mediaType: "application/octet-stream", digest: digestOf(bytes), size: bytes.length };
  await using one = await FileBlobStore.open(dir);
  await using two = await FileBlobStore.open(dir);
  const first = await one.ingest(descriptor.digest);
  await first.write(bytes.subarray(0, 100_000));
  const told: (readonly [string, number])[] = [];
  const heard = [100_000, 250_000].map((wanted) => ({ wanted, ...Promise.withResolvers<void>() }));
  const source: ContentSource = {
    open: async (_, { offset = 0 } = {}) => ({
      pump: async (consume) => await consume(bytes.subarray(offset)),
      close: async () => {},
    }),
  };
  const writing = two.write(descriptor, source, {
    onProgress: (count) => told.push(["progress", count]),
    onAwaited: (count) => {
      told.push(["awaited", count]);
      for (const { wanted, resolve } of heard) if (count === wanted) resolve();
    },
  });
  await heard[0]?.promise;
  await first.write(bytes.subarray(100_000, 250_000));
  await heard[1]?.promise;
  await first.close();
  assert.equal(await writing, "written");
  const last = told.findLastIndex(([kind]) => kind === "awaited");
  assert.deepEqual(told.slice(last), [
    ["awaited", 250_000],
    ["progress", 250_000],
    ["progress", 300_000],
  ]);
});

test("bytes that somebody else changed between two writers are hashed again", async () => {
  const dir = folder();
  await using store = await FileBlobStore.open(dir);
  const ingest = await store.ingest("u");
  await ingest.write(Buffer.from("aaaa"));
  await ingest.close();
  writeFileSync(join(dir, "ingest", "u.part"), "bbbbb");
  const again = await store.ingest("u");
  assert.equal(again.offset, 5);
  await again.commit({ digest: digestOf("bbbbb") });
});

test("closing the store keeps unfinished ingests for the next one", async () => {
  const dir = folder();
  const store = await FileBlobStore.open(dir);
  const ingest = await store.ingest("u");
  await ingest.write(Buffer.from("small enough to be gathered"));
  await store.close();
  await using next = await FileBlobStore.open(dir);
  assert.equal((await next.ingest("u")).offset, 27);
});

test("an ingest whose writer died after making it read-only can be continued", async () => {
  const dir = folder();
  await using store = await FileBlobStore.open(dir);
  const ingest = await store.ingest("u");
  await ingest.write(Buffer.from("x"));
  await ingest.close();
  chmodSync(join(dir, "ingest", "u.part"), 0o444);
  const again = await store.ingest("u");
  await again.commit({ digest: digestOf("x") });
});

test("files that are no blobs are not listed", async () => {
  const dir = folder();
  await using store = await FileBlobStore.open(dir);
  await put(store, Buffer.from("x"));
  writeFileSync(join(dir, "blobs", "sha256", "README"), "");
  writeFileSync(join(dir, "blobs", "sha256", "ABC"), "");
  assert.equal((await Array.fromAsync(store.list())).length, 1);
});

test("a folder that can't be made is one clear sentence", async () => {
  const file = join(folder(), "file");
  writeFileSync(file, "");
  await assert.rejects(FileBlobStore.open(join(file, "store")), {
    code: "UNWRITABLE",
    message: `Cannot open store "${join(file, "store")}": a file stands where a folder should be`,
  });
});

test("a full disk is NO_SPACE, and the ingest remains", { skip: process.platform !== "linux" }, async () => {
  const dir = folder();
  await using store = await FileBlobStore.open(dir);
  const { symlinkSync } = await import("node:fs");
  symlinkSync("/dev/full", join(dir, "ingest", "u.part"));
  const ingest = await store.ingest("u");
  assert.throws(() => ingest.write(Buffer.alloc(100_000)), { code: "NO_SPACE" });
  await ingest.close();
});

test("an ingest can be read along in its file, which stays open when it becomes the blob's", async () => {
  await using store = await FileBlobStore.open(folder());
  const ingest = await store.ingest("u");
  await ingest.write(Buffer.from("a few bytes"));
  ingest.file?.flush();
  const fd = openSync(ingest.file?.path ?? "", "r");
  assert.equal(readFileSync(fd, "utf8"), "a few bytes");
  await ingest.write(Buffer.from(" and some more"));
  await ingest.commit({ digest: digestOf("a few bytes and some more") });
  assert.equal(readFileSync(fd, "utf8"), " and some more");
  closeSync(fd);
});
