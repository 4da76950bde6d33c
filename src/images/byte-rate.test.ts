import assert from "node:assert/strict";
import { test } from "node:test";

import type { ContentStream, Descriptor, ImageSource } from "../oci/index.ts";
import { ByteRate } from "./byte-rate.ts";

const CONTENT = { digest: "sha256:0", mediaType: "", size: 0 } as unknown as Descriptor;

/** A clock that moves only while somebody rests. */
function setUp(bytesPerSecond: number): { rate: ByteRate; clock: { now: number; rests: number } } {
  const clock = { now: 0, rests: 0 };
  const wait = async (milliseconds: number): Promise<void> => {
    clock.rests++;
    await new Promise((resolve) => setImmediate(resolve));
    clock.now += milliseconds;
  };
  return { rate: new ByteRate({ bytesPerSecond, now: () => clock.now, wait }), clock };
}

function sourceOf(chunks: number, size: number): ImageSource {
  const stream: ContentStream = {
    pump: async (consume) => {
      for (let index = 0; index < chunks; index++) await consume(new Uint8Array(size));
    },
    close: async () => {},
  };
  return { resolve: async () => CONTENT, open: async () => stream };
}

test("a rate holds for one stream and for several together, with few rests for many chunks", async () => {
  for (const streams of [1, 4]) {
    const { rate, clock } = setUp(1_000_000);
    let bytes = 0;
    const all = Array.from({ length: streams }, async () => {
      const stream = await rate.limit(sourceOf(4000 / streams, 1000)).open(CONTENT);
      await stream.pump((chunk) => void (bytes += chunk.length));
    });
    await Promise.all(all);
    assert.equal(bytes, 4_000_000);
    assert.ok(clock.now > 3900 && clock.now <= 4000, `${streams}: 4 MB at 1 MB/s took ${clock.now} ms`);
    assert.ok(clock.rests < 200, `${streams}: ${clock.rests} rests`);
  }
});

test("chunks larger than the allowance are owed and rested off; without haste nobody rests", async () => {
  const { rate, clock } = setUp(1000);
  await rate.take(5000);
  assert.ok(clock.now >= 4950 && clock.now <= 5000, String(clock.now));
  clock.now += 60_000;
  assert.equal(rate.take(50), undefined, "but idle time isn't saved up");
  assert.notEqual(rate.take(10), undefined);
});

test("whoever gives up rests no longer, and the last one takes the timer along", async () => {
  const signals: AbortSignal[] = [];
  const wait = (_: number, signal: AbortSignal): Promise<void> => {
    signals.push(signal);
    return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  const rate = new ByteRate({ bytesPerSecond: 1000, now: () => 0, wait });
  const [one, other] = [new AbortController(), new AbortController()];
  const rests = [rate.take(1000, one.signal), rate.take(1000, other.signal)];
  one.abort(new Error("one"));
  await assert.rejects(rests[0] as Promise<void>, /one/);
  assert.deepEqual([signals.length, signals[0]?.aborted], [1, false]);
  other.abort(new Error("other"));
  await assert.rejects(rests[1] as Promise<void>, /other/);
  assert.equal(signals[0]?.aborted, true);
});
