import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";

import fc from "fast-check";

import { Deflate } from "./deflate.ts";

function deflate(input: Uint8Array, step: number = 65_536): Buffer {
  const parts: Buffer[] = [];
  const engine = new Deflate((bytes) => parts.push(Buffer.from(bytes)));
  for (let at = 0; at < input.length; at += step) engine.write(input.subarray(at, at + step));
  engine.end();
  return Buffer.concat(parts);
}

/** Bytes without any library: the same everywhere, and hard to compress. */
function noise(length: number, seed: number = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Text-like: words of a small vocabulary in an order that doesn't repeat. */
function prose(length: number): Buffer {
  const order = noise(length, 7);
  let text = "";
  for (let i = 0; text.length < length; i++) text += `word${(order[i] as number) % 90} `;
  return Buffer.from(text.slice(0, length));
}

/** Extreme code lengths: symbol frequencies that grow like Fibonacci's numbers. */
function skewed(): Buffer {
  const parts: Buffer[] = [];
  let [a, b] = [1, 1];
  for (let symbol = 0; symbol < 24; symbol++) {
    parts.push(Buffer.alloc(a, symbol));
    [a, b] = [b, a + b];
  }
  const all = Buffer.concat(parts);
  const order = noise(all.length, 3);
  for (let i = all.length - 1; i > 0; i--) {
    const other = ((order[i] as number) * 256 + (order[i - 1] as number)) % (i + 1);
    [all[i], all[other]] = [all[other] as number, all[i] as number];
  }
  return all;
}

const SEGMENT = 224 * 1024;
const INPUTS: readonly (readonly [string, Buffer])[] = [
  ["nothing", Buffer.alloc(0)],
  ["one byte", Buffer.from("a")],
  ["four equal bytes", Buffer.from("aaaa")],
  ["zeros", Buffer.alloc(2_000_000)],
  ["noise", noise(300_000)],
  ["a segment of noise", noise(SEGMENT)],
  ["a segment and a byte", noise(SEGMENT + 1)],
  ["two segments of a pattern", Buffer.alloc(2 * SEGMENT, "abcabcabd")],
  ["prose", prose(700_000)],
  ["skewed frequencies", skewed()],
  ["a match across the window", Buffer.concat([prose(40_000), noise(32_700), prose(40_000)])],
];

for (const [name, input] of INPUTS) {
  test(`Deflate writes what zlib reads: ${name}`, () => {
    assert.ok(inflateRawSync(deflate(input)).equals(input));
  });
}

test("Deflate gives the same bytes however its input is cut", () => {
  const input = Buffer.concat([prose(500_000), noise(10_000), Buffer.alloc(10_000)]);
  const whole = deflate(input, input.length);
  for (const step of [777, 65_536, SEGMENT, SEGMENT + 1]) assert.ok(deflate(input, step).equals(whole));
});

test("Deflate compresses text well and noise not at all", () => {
  assert.ok(deflate(prose(700_000)).length < 240_000);
  assert.ok(deflate(noise(300_000)).length < 300_100);
});

test("Deflate never changes its output, since layers' digests depend on it", () => {
  const input = Buffer.concat([prose(300_000), noise(70_000), Buffer.alloc(50_000), skewed()]);
  const digest = createHash("sha256").update(deflate(input)).digest("hex");
  assert.equal(digest, "ab1b0d50c2788b7929819df209915ef768128e4e86730badec1c51848745454a");
});

test("Deflate survives any mixture of repetition and noise", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc
      .tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 900 }))
      .map(([unit, count]) => {
        return Uint8Array.from({ length: unit.length * count }, (_, i) => unit[i % unit.length] as number);
      }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const input = Buffer.concat(pieces);
      assert.ok(inflateRawSync(deflate(input, 1000)).equals(input));
    }),
    { numRuns: 150 },
  );
});
