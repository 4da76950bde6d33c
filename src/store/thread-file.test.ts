import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { type Digest, digestOf } from "../oci/index.ts";
import type { Ingest } from "./blob-store.ts";
import { FileBlobStore } from "./file-store.ts";
import { ThreadFile } from "./thread-file.ts";
import { WriterThreads } from "./writer-threads.ts";

const root = mkdtempSync(join(tmpdir(), "dray-threads-"));
after(() => rmSync(root, { recursive: true }));
const folder = (): string => mkdtempSync(join(root, "store-"));
const openStore = (dir: string = folder()): Promise<FileBlobStore> =>
  FileBlobStore.open(dir, { writerThreads: 1 });

/** In pieces of all sizes, each given away for good. */
async function give(ingest: Ingest, bytes: Uint8Array): Promise<void> {
  const sizes = [65_536, 1, 40_000, 700, 200_000, 16_384, 5];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const chunk = Buffer.allocUnsafeSlow(Math.min(sizes[turn % sizes.length] ?? 1, bytes.length - at));
    chunk.set(bytes.subarray(at, at + chunk.length));
    at += chunk.length;
    await ingest.write(chunk, { given: true });
  }
}

for (const algorithm of ["sha256", "sha384", "sha512"] as const) {
  test(`a large upload that a thread writes has its ${algorithm} digest`, async () => {
    await using store = await openStore();
    const bytes = randomBytes(5_000_011);
    const ingest = await store.ingest("u", { algorithms: [algorithm] });
    await give(ingest, bytes);
    assert.equal(ingest.offset, bytes.length);
    const digest = digestOf(bytes, algorithm);
    assert.equal((await ingest.commit({ digest })).size, bytes.length);
    assert.deepEqual(readFileSync(store.pathOf(digest)), bytes);
  });
}

test("wrong content is found out, and nothing of it stays", async () => {
  await using store = await openStore();
  const ingest = await store.ingest("u");
  await give(ingest, randomBytes(2_000_000));
  await assert.rejects(ingest.commit({ digest: digestOf("something else") }), { code: "DIGEST_INVALID" });
  assert.equal(await store.findIngest("u"), undefined);
});

test("a digest of another kind than was counted on is found by reading", async () => {
  await using store = await openStore();
  const bytes = randomBytes(2_000_000);
  const ingest = await store.ingest("u");
  await give(ingest, bytes);
  await ingest.commit({ digest: digestOf(bytes, "sha512") });
});

test("uploads share a thread without mixing their bytes", async () => {
  await using store = await openStore();
  const contents = Array.from({ length: 12 }, (_, index) => randomBytes(1_500_000 + index));
  const digests = await Promise.all(
    contents.map(async (bytes, index): Promise<Digest> => {
      const ingest = await store.ingest(`u${index}`);
      await give(ingest, bytes);
      return (await ingest.commit({ digest: digestOf(bytes) })).digest;
    }),
  );
  for (const [index, digest] of digests.entries())
    assert.deepEqual(readFileSync(store.pathOf(digest)), contents[index]);
});

test("an upload in several requests goes on where it was, also back at a refused chunk", async () => {
  await using store = await openStore();
  const bytes = randomBytes(4_000_000);
  let ingest = await store.ingest("u");
  await give(ingest, bytes.subarray(0, 1_500_000));
  await ingest.close();
  ingest = await store.ingest("u");
  assert.equal(ingest.offset, 1_500_000);
  await give(ingest, randomBytes(900_000));
  await ingest.truncate(1_500_000);
  await ingest.write(bytes.subarray(1_500_000, 3_000_000));
  await ingest.close();
  ingest = await store.ingest("u");
  await give(ingest, bytes.subarray(3_000_000));
  await ingest.truncate(2_000_000);
  assert.equal(ingest.offset, 2_000_000);
  await give(ingest, bytes.subarray(2_000_000));
  await ingest.commit({ digest: digestOf(bytes) });
  assert.deepEqual(readFileSync(store.pathOf(digestOf(bytes))), bytes);
});

test("what was received stays when the store is closed, and the next one goes on", async () => {
  const dir = folder();
  const bytes = randomBytes(3_000_000);
  const first = await openStore(dir);
  await give(await first.ingest("u"), bytes.subarray(0, 2_000_000));
  await first.close();
  await using second = await openStore(dir);
  const ingest = await second.ingest("u");
  assert.equal(ingest.offset, 2_000_000);
  await give(ingest, bytes.subarray(2_000_000));
  await ingest.commit({ digest: digestOf(bytes) });
});

test("an upload given up in the middle leaves no file, and its thread goes on for others", async () => {
  await using store = await openStore();
  const ingest = await store.ingest("u");
  await give(ingest, randomBytes(2_000_000));
  await ingest.abort();
  assert.equal(await store.findIngest("u"), undefined);
  const bytes = randomBytes(1_000_000);
  const other = await store.ingest("v");
  await give(other, bytes);
  await other.commit({ digest: digestOf(bytes) });
});

test("chunks that are not given may be reused, also when a thread has taken over", async () => {
  await using store = await openStore();
  const bytes = randomBytes(1_000_000);
  const ingest = await store.ingest("u");
  await give(ingest, bytes);
  const reused = Buffer.alloc(100_000, 1);
  await ingest.write(reused);
  reused.fill(2);
  await ingest.write(reused);
  reused.fill(3);
  const digest = digestOf(Buffer.concat([bytes, Buffer.alloc(100_000, 1), Buffer.alloc(100_000, 2)]));
  await ingest.commit({ digest });
});

test("a full disk fails the bytes that found no room, and frees the memory of those behind them", async (t) => {
  if (process.platform !== "linux") return t.skip("needs /dev/full");
  const threads = new WriterThreads(1);
  const thread = threads.pick();
  assert.ok(thread !== undefined);
  const fd = openSync("/dev/full", "w");
  const use = { fd, onWritten: (): void => {} };
  const file = new ThreadFile({ threads, thread }, use, { algorithms: ["sha256"], offset: 0 });
  await file.push(Buffer.alloc(2_000_000), false);
  await assert.rejects(file.settle(), { code: "ENOSPC" });
  assert.equal(file.offset, 0);
  assert.equal(threads.heldBytes, 0);
  assert.deepEqual(await file.digests(), [digestOf("")]);
  closeSync(fd);
  await threads.close();
});

test("when a thread ends, its uploads fail, and the next one gets another", async () => {
  const threads = new WriterThreads(1);
  const thread = threads.pick();
  assert.ok(thread !== undefined);
  const fd = openSync(join(folder(), "file"), "w+");
  const use = { fd, onWritten: (): void => {} };
  const file = new ThreadFile({ threads, thread }, use, { algorithms: ["sha256"], offset: 0 });
  await thread.end();
  await assert.rejects(async () => {
    await file.push(Buffer.alloc(300_000), false);
    await file.settle();
  }, /ended/);
  assert.equal(file.lives, false);
  assert.equal(threads.heldBytes, 0);
  closeSync(fd);
  assert.notEqual(threads.pick(), thread);
  await threads.close();
});

test("where memory for all uploads together runs out, each of them waits", async () => {
  const threads = new WriterThreads(1);
  const thread = threads.pick();
  assert.ok(thread !== undefined);
  const fd = openSync(join(folder(), "file"), "w+");
  const use = { fd, onWritten: (): void => {} };
  const file = new ThreadFile({ threads, thread }, use, { algorithms: ["sha256"], offset: 0 });
  assert.equal(file.push(Buffer.alloc(100_000), false), undefined);
  threads.heldBytes += 16 * 1024 * 1024;
  await file.push(Buffer.alloc(100_000), false);
  assert.equal(file.written, 200_000);
  threads.heldBytes -= 16 * 1024 * 1024;
  closeSync(fd);
  await threads.close();
});
