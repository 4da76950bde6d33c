import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { openFileStream } from "./file-stream.ts";

const folder = await mkdtemp(join(tmpdir(), "dray-file-stream-"));
after(() => rm(folder, { recursive: true }));
const path = join(folder, "blob");
const bytes = randomBytes(3_000_001);
await writeFile(path, bytes);

async function read(first: number, length: number): Promise<Buffer> {
  const stream = await openFileStream(path, first, length);
  assert.ok(stream);
  const chunks: Buffer[] = [];
  await stream.pump(async (chunk) => {
    chunks.push(Buffer.from(chunk));
    await Promise.resolve();
  });
  await stream.close();
  return Buffer.concat(chunks);
}

test("any stretch comes complete and in order", async () => {
  for (const [first, length] of [
    [0, bytes.length],
    [1, 70_000],
    [2_999_990, 11],
    [524_287, 1_048_578],
    [5, 0],
  ] as const) {
    assert.ok(
      (await read(first, length)).equals(bytes.subarray(first, first + length)),
      `${first}+${length}`,
    );
  }
});

test("a hundred readers at once each get their own bytes, although buffers go round", async () => {
  const stretches = Array.from({ length: 100 }, (_, index) => [index * 1_000, 2_000_000 + index] as const);
  const contents = await Promise.all(stretches.map(([first, length]) => read(first, length)));
  for (const [index, [first, length]] of stretches.entries())
    assert.ok(contents[index]?.equals(bytes.subarray(first, first + length)));
});

test("a missing file is undefined; one that ends too early is an error", async () => {
  assert.equal(await openFileStream(join(folder, "none"), 0, 1), undefined);
  const short = join(folder, "short");
  await writeFile(short, bytes.subarray(0, 100));
  await truncate(short, 50);
  const stream = await openFileStream(short, 0, 100);
  await assert.rejects(stream?.pump(() => {}) ?? Promise.resolve(), /ends too early/);
  await stream?.close();
});

test("a consumer that throws stops the reading", async () => {
  const stream = await openFileStream(path, 0, bytes.length);
  let calls = 0;
  const stop = (): void => {
    calls++;
    throw new Error("enough");
  };
  await assert.rejects(stream?.pump(stop) ?? Promise.resolve(), /enough/);
  assert.equal(calls, 1);
  await stream?.close();
});
