import assert from "node:assert/strict";
import { test } from "node:test";

import { type ContentSource } from "./content.ts";
import { type Descriptor } from "./descriptor.ts";
import { digestOf } from "./digest.ts";
import { memoryStream, MemoryContent } from "./memory-content.ts";
import { readContent } from "./read-content.ts";
import { Verifier } from "./verifier.ts";

const TEXT = "some content";
const DESCRIPTOR: Descriptor = { mediaType: "text/plain", digest: digestOf(TEXT), size: TEXT.length };

test("readContent() gives back verified bytes", async () => {
  const content = new MemoryContent({ chunkSize: 5 });
  const descriptor = content.add(TEXT, "text/plain");
  assert.equal(Buffer.from(await readContent(content, descriptor)).toString(), TEXT);
});

test("readContent() refuses wrong bytes, too few, and too many", async () => {
  await assert.rejects(readContent(serving("some c0ntent"), DESCRIPTOR), { code: "DIGEST_INVALID" });
  await assert.rejects(readContent(serving("some"), DESCRIPTOR), { code: "SIZE_INVALID" });
  await assert.rejects(readContent(serving(`${TEXT}!`), DESCRIPTOR), { code: "SIZE_INVALID" });
});

test("readContent() opens nothing that is larger than it may be", async () => {
  await assert.rejects(readContent(closed, DESCRIPTOR, { limit: 5 }), { code: "SIZE_INVALID" });
});

test("readContent() takes content from the descriptor only if it is the right one", async () => {
  const data = Buffer.from(TEXT).toString("base64");
  assert.equal(Buffer.from(await readContent(closed, { ...DESCRIPTOR, data })).toString(), TEXT);
  const wrong = Buffer.from("some c0ntent").toString("base64");
  const bytes = await readContent(serving(TEXT), { ...DESCRIPTOR, data: wrong });
  assert.equal(Buffer.from(bytes).toString(), TEXT);
});

test("Verifier throws with the first byte too many", () => {
  const verifier = new Verifier(DESCRIPTOR);
  verifier.update(Buffer.from(TEXT));
  assert.throws(() => verifier.update(Uint8Array.of(0)), { code: "SIZE_INVALID" });
});

test("memory streams begin where they are asked to", async () => {
  let text = "";
  await memoryStream(Buffer.from(TEXT), { offset: 5, chunkSize: 2 }).pump((chunk) => {
    text += Buffer.from(chunk).toString();
  });
  assert.equal(text, "content");
});

const closed: ContentSource = { open: () => Promise.reject(new Error("opened")) };

function serving(text: string): ContentSource {
  return { open: () => Promise.resolve(memoryStream(Buffer.from(text), { chunkSize: 3 })) };
}
