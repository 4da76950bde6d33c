import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { digestOf } from "../../oci/index.ts";
import { FileBlobStore, MemoryBlobStore } from "../../store/index.ts";
import { INGEST_PREFIX } from "./download.ts";
import { MemoryUpstream, openTestMirror } from "./testing.ts";

const root = mkdtempSync(join(tmpdir(), "dray-download-"));
after(() => rmSync(root, { recursive: true }));
const folder = (): string => mkdtempSync(join(root, "store-"));

const bytes = randomBytes(100_000);
const digest = digestOf(bytes);
const path = `/v2/hub/app/blobs/${digest}`;

function holdUp(upstream: MemoryUpstream): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  upstream.more = promise;
  return resolve;
}

test("small pieces are read along as they come, from a file", async () => {
  const upstream = new MemoryUpstream();
  upstream.add(bytes);
  const release = holdUp(upstream);
  await using blobs = await FileBlobStore.open(folder());
  await using mirror = await openTestMirror(upstream, { blobs });
  const answer = await mirror.get(path);
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  // The first piece is far below what the store writes at once.
  assert.deepEqual(Buffer.from((await reader.read()).value ?? []), bytes.subarray(0, 1_000));
  const range = await mirror.get(path, { range: "bytes=10-19" });
  assert.deepEqual(Buffer.from(await range.bytes()), bytes.subarray(10, 20));
  release();
  const parts: Uint8Array[] = [];
  for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(part.value);
  assert.deepEqual(Buffer.concat(parts), bytes.subarray(1_000));
  assert.deepEqual(upstream.opened, [0]);
});

test("without files, what comes in is read once it is complete", async () => {
  const upstream = new MemoryUpstream();
  upstream.add(bytes);
  await using mirror = await openTestMirror(upstream);
  const answers = await Promise.all([mirror.get(path), mirror.get(path, { range: "bytes=99000-" })]);
  assert.deepEqual(Buffer.from((await answers[0]?.bytes()) ?? []), bytes);
  assert.deepEqual(Buffer.from((await answers[1]?.bytes()) ?? []), bytes.subarray(99_000));
  assert.deepEqual(upstream.opened, [0]);
});

test("an empty blob is one, too", async () => {
  const upstream = new MemoryUpstream();
  const empty = upstream.add(Buffer.alloc(0));
  await using mirror = await openTestMirror(upstream);
  for (let times = 0; times < 2; times++) {
    const answer = await mirror.get(`/v2/hub/app/blobs/${empty}`);
    assert.equal(answer.status, 200);
    assert.equal((await answer.bytes()).length, 0);
  }
});

test("when the last one leaves while nothing comes, the fetch ends and keeps what came", async () => {
  const upstream = new MemoryUpstream();
  upstream.add(bytes);
  upstream.piece = 40_000;
  holdUp(upstream);
  await using blobs = await FileBlobStore.open(folder());
  await using mirror = await openTestMirror(upstream, { blobs });
  const answers = await Promise.all([mirror.get(path), mirror.get(path)]);
  const readers = answers.map((answer) => (answer.body as ReadableStream<Uint8Array>).getReader());
  for (const reader of readers) await reader.read();
  const [first, second] = readers;
  await first?.cancel();
  // Asks for what doesn't come, and leaves while it waits.
  const waiting = second?.read();
  await second?.cancel();
  await waiting;
  await upstream.closed;
  upstream.more = Promise.resolve();
  const again = await mirror.get(path);
  assert.deepEqual(Buffer.from(await again.bytes()), bytes);
  assert.deepEqual(upstream.opened, [0, 40_000]);
  assert.deepEqual(mirror.failures, []);
});

test("closing the registry ends what is under way, and its callers get no more", async () => {
  const upstream = new MemoryUpstream();
  upstream.add(bytes);
  holdUp(upstream);
  await using blobs = await FileBlobStore.open(folder());
  const mirror = await openTestMirror(upstream, { blobs, settings: { finish: true } });
  const answer = await mirror.get(path);
  await mirror[Symbol.asyncDispose]();
  await assert.rejects(answer.bytes());
  assert.equal((await blobs.findIngest(INGEST_PREFIX + digest))?.offset, 1_000);
});

test("what an earlier fetch left may be wrong: that costs one answer, and no blob", async () => {
  const upstream = new MemoryUpstream();
  upstream.add(bytes);
  await using blobs = await FileBlobStore.open(folder());
  const left = await blobs.ingest(INGEST_PREFIX + digest);
  await left.write(Buffer.alloc(50_000, "x"));
  await left.close();
  await using mirror = await openTestMirror(upstream, { blobs });
  await assert.rejects((await mirror.get(path)).bytes());
  assert.equal(await blobs.find(digest), undefined);
  assert.deepEqual(Buffer.from(await (await mirror.get(path)).bytes()), bytes);
  assert.deepEqual(upstream.opened, [50_000, 0]);
});

test("more than a blob can have is dropped, and less is fetched", async () => {
  const upstream = new MemoryUpstream();
  upstream.add(bytes);
  await using blobs = await FileBlobStore.open(folder());
  const left = await blobs.ingest(INGEST_PREFIX + digest);
  await left.write(Buffer.alloc(200_000, "x"));
  await left.close();
  await using mirror = await openTestMirror(upstream, { blobs });
  assert.deepEqual(Buffer.from(await (await mirror.get(path)).bytes()), bytes);
});

test("while another process fetches the same blob it is waited for, and the upstream vouches for it", async () => {
  const upstream = new MemoryUpstream();
  upstream.add(bytes);
  const dir = folder();
  await using elsewhere = await FileBlobStore.open(dir);
  await using blobs = await FileBlobStore.open(dir);
  const ingest = await elsewhere.ingest(INGEST_PREFIX + digest);
  await using mirror = await openTestMirror(upstream, { blobs });
  const answer = mirror.get(path);
  await ingest.write(bytes);
  await ingest.commit({ digest });
  assert.deepEqual(Buffer.from(await (await answer).bytes()), bytes);
  assert.deepEqual(upstream.opened, []);
  assert.ok(upstream.heads >= 2);
});

test("another process that ends between a look and a claim has fetched the blob for both", async (t) => {
  const upstream = new MemoryUpstream();
  upstream.add(bytes);
  const dir = folder();
  await using elsewhere = await FileBlobStore.open(dir);
  await using blobs = await FileBlobStore.open(dir);
  const ingest = await elsewhere.ingest(INGEST_PREFIX + digest);
  await ingest.write(bytes);
  await using mirror = await openTestMirror(upstream, { blobs });
  const claim = blobs.ingest.bind(blobs);
  t.mock.method(blobs, "ingest", async (...args: Parameters<typeof claim>) => {
    await ingest.commit({ digest }).catch(() => {});
    return await claim(...args);
  });
  assert.deepEqual(Buffer.from(await (await mirror.get(path)).bytes()), bytes);
  assert.deepEqual(upstream.opened, []);
  assert.equal(await blobs.findIngest(INGEST_PREFIX + digest), undefined);
});

test("content that is in the store is not for a repository that doesn't have it", async () => {
  const upstream = new MemoryUpstream();
  const blobs = new MemoryBlobStore();
  const ingest = await blobs.ingest("somebody");
  await ingest.write(bytes);
  await ingest.commit({ digest });
  await using mirror = await openTestMirror(upstream, { blobs });
  assert.equal((await mirror.get(path)).status, 404);
  assert.equal(await mirror.metadata.findBlob("hub/app", digest), undefined);
});

test("what a collection takes between its arrival and its link is not shown, and is fetched again", async (t) => {
  const upstream = new MemoryUpstream();
  upstream.add(bytes);
  const blobs = new MemoryBlobStore();
  await using mirror = await openTestMirror(upstream, { blobs });
  const link = mirror.metadata.linkBlob.bind(mirror.metadata);
  const racing = t.mock.method(mirror.metadata, "linkBlob", async (...args: Parameters<typeof link>) => {
    await blobs.delete(digest);
    return await link(...args);
  });
  await assert.rejects((await mirror.get(path)).bytes());
  assert.equal(await mirror.metadata.findBlob("hub/app", digest), undefined);
  racing.mock.restore();
  assert.deepEqual(Buffer.from(await (await mirror.get(path)).bytes()), bytes);
  assert.notEqual(await mirror.metadata.findBlob("hub/app", digest), undefined);
});

test("a failure of our own is told, and is nobody's answer", async () => {
  const upstream = new MemoryUpstream();
  upstream.add(bytes);
  const blobs = new MemoryBlobStore();
  blobs.ingest = () => Promise.reject(new Error("the disk is on fire"));
  await using mirror = await openTestMirror(upstream, { blobs });
  const answer = await mirror.get(path);
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /fire/);
  assert.ok(mirror.failures.some((error) => error instanceof Error && error.message.includes("fire")));
});
