import assert from "node:assert/strict";
import { test } from "node:test";

import { type ContentSource, type Descriptor, digestOf, memoryStream } from "../oci/index.ts";
import type { BlobStore } from "./blob-store.ts";
import { MemoryBlobStore } from "./memory-store.ts";
import { SharedWrites } from "./shared-writes.ts";
import { writeOnce } from "./write-content.ts";

const bytes = Buffer.from("what two processes want");
const blob: Descriptor = { mediaType: "text/plain", digest: digestOf(bytes), size: bytes.length };
const good: ContentSource = { open: (_, options) => Promise.resolve(memoryStream(bytes, options)) };
const unasked: ContentSource = { open: () => assert.fail("asked once more") };

/** A store in which another process brings the content between our look for it and our turn to write it. */
function overtaken(store: MemoryBlobStore): BlobStore {
  const ingest: BlobStore["ingest"] = async (key, options) => {
    await store.write(blob, good);
    return await store.ingest(key, options);
  };
  return new Proxy<BlobStore>(store, {
    get: (_, name) => {
      const member: unknown = name === "ingest" ? ingest : Reflect.get(store, name, store);
      return typeof member === "function" ? (member.bind(store) as unknown) : member;
    },
  });
}

test("content that another process brought while a writer got its turn is not fetched once more", async () => {
  const store = new MemoryBlobStore();
  const content = { descriptor: blob, source: unasked };
  assert.equal(await writeOnce(overtaken(store), content, { sharing: new SharedWrites() }), "exists");
  assert.equal(await store.findIngest(blob.digest), undefined);
  assert.equal((await store.find(blob.digest))?.size, bytes.length);
});

test("content that another process brought in another size than wanted is no content for us", async () => {
  const store = new MemoryBlobStore();
  const content = { descriptor: { ...blob, size: blob.size + 1 }, source: unasked };
  await assert.rejects(writeOnce(overtaken(store), content, { sharing: new SharedWrites() }), {
    code: "SIZE_INVALID",
  });
  assert.equal(await store.findIngest(blob.digest), undefined);
});
