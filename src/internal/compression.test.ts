import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync, gzipSync, zstdCompressSync, constants } from "node:zlib";

import { createCompressor, type Pump, pumpDecompressed } from "./compression.ts";
import { type Compression, detectCompression } from "./detect-compression.ts";

function inSteps(bytes: Uint8Array, step: number): Pump {
  return {
    async pump(consume) {
      // One buffer for all, as sources do it: whoever keeps a chunk without copying shows here.
      const buffer = Buffer.alloc(step);
      for (let at = 0; at < bytes.length; at += step) {
        const part = bytes.subarray(at, at + step);
        buffer.set(part);
        await consume(buffer.subarray(0, part.length));
        buffer.fill(0xee);
      }
    },
  };
}

async function decompress(bytes: Uint8Array, step: number = 1000): Promise<readonly [Compression, Buffer]> {
  const parts: Buffer[] = [];
  const compression = await pumpDecompressed(
    inSteps(bytes, step),
    (chunk) => void parts.push(Buffer.from(chunk)),
  );
  return [compression, Buffer.concat(parts)];
}

async function compress(compression: Compression, bytes: Uint8Array): Promise<Buffer> {
  const parts: Buffer[] = [];
  const compressor = createCompressor(compression, (chunk) => void parts.push(Buffer.from(chunk)));
  await compressor.write(bytes);
  await compressor.end();
  return Buffer.concat(parts);
}

const TEXT = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `line ${i * i}\n`).join(""));
const SKIPPABLE = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
const zstd = (bytes: Uint8Array): Buffer =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });

test("detectCompression() goes by the first bytes", () => {
  const cases: readonly (readonly [number[], Compression])[] = [
    [[], "none"],
    [[0x1f], "none"],
    [[0x1f, 0x8b], "none"],
    [[0x1f, 0x8b, 8], "gzip"],
    [[0x1f, 0x8b, 7, 0, 0, 0, 0, 0], "none"],
    [[0x28, 0xb5, 0x2f, 0xfd], "zstd"],
    [[0x28, 0xb5, 0x2f], "none"],
    [[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0], "zstd"],
    [[0x5f, 0x2a, 0x4d, 0x18, 0, 0, 0, 0], "zstd"],
    [[0x5f, 0x2a, 0x4d, 0x18], "none"],
    [[0x60, 0x2a, 0x4d, 0x18, 0, 0, 0, 0], "none"],
    [[0x42, 0x5a, 0x68, 0x39, 0, 0, 0, 0], "none"],
  ];
  for (const [bytes, expected] of cases) assert.equal(detectCompression(Uint8Array.from(bytes)), expected);
});

for (const step of [1000, 100_000, 10_000_000]) {
  test(`pumpDecompressed() reads plain, gzip and zstd in chunks of ${step}`, async () => {
    assert.deepEqual(await decompress(TEXT, step), ["none", TEXT]);
    assert.deepEqual(await decompress(gzipSync(TEXT), step), ["gzip", TEXT]);
    assert.deepEqual(await decompress(zstd(TEXT), step), ["zstd", TEXT]);
  });

  test(`pumpDecompressed() reads members and frames to the last one, in chunks of ${step}`, async () => {
    const twice = Buffer.concat([TEXT, TEXT]);
    assert.deepEqual(await decompress(Buffer.concat([gzipSync(TEXT), gzipSync(TEXT)]), step), [
      "gzip",
      twice,
    ]);
    const frames = [
      SKIPPABLE,
      zstd(TEXT),
      zstd(Buffer.alloc(0)),
      SKIPPABLE,
      zstdCompressSync(TEXT),
      SKIPPABLE,
    ];
    assert.deepEqual(await decompress(Buffer.concat(frames), step), ["zstd", twice]);
  });
}

test("pumpDecompressed() passes short and empty content through", async () => {
  for (const text of ["", "a", "seven b", "eight by", "\x1f\x8b"]) {
    assert.deepEqual(await decompress(Buffer.from(text, "latin1"), 1), ["none", Buffer.from(text, "latin1")]);
  }
});

test("pumpDecompressed() refuses what is cut off or damaged", async () => {
  const gzip = gzipSync(TEXT);
  const frame = zstd(TEXT);
  const damaged = Buffer.from(gzip);
  damaged[gzip.length >> 1] = (damaged[gzip.length >> 1] as number) ^ 0xff;
  await assert.rejects(decompress(gzip.subarray(0, -9)));
  await assert.rejects(decompress(damaged));
  await assert.rejects(decompress(frame.subarray(0, -1)));
  await assert.rejects(decompress(Buffer.concat([frame, frame.subarray(0, 100)])));
  await assert.rejects(decompress(Buffer.concat([frame, Buffer.from("rubbish")])));
});

test("pumpDecompressed() passes on the consumer's error", async () => {
  const stop = new Error("stop");
  for (const bytes of [TEXT, gzipSync(TEXT), zstd(TEXT)]) {
    const run = pumpDecompressed(inSteps(bytes, 1000), () => {
      throw stop;
    });
    await assert.rejects(run, stop);
  }
});

test("createCompressor() writes what pumpDecompressed() reads", async () => {
  for (const compression of ["none", "gzip", "zstd"] as const) {
    assert.deepEqual(await decompress(await compress(compression, TEXT)), [compression, TEXT]);
    const empty = await compress(compression, Buffer.alloc(0));
    assert.deepEqual(await decompress(empty), [compression, Buffer.alloc(0)]);
  }
});

test("createCompressor() writes a gzip that tells neither name, time nor system", async () => {
  const gzip = await compress("gzip", TEXT);
  assert.deepEqual([...gzip.subarray(0, 10)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  assert.ok(gunzipSync(gzip).equals(TEXT));
});
