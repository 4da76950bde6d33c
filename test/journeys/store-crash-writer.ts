/**
 * The process that gets killed: writes blobs and names into a store for ever and acknowledges each on stdout once
 * the store said it is done.
 *
 *     node store-crash-writer.ts FOLDER SEED [STOP_AT]
 *
 * With STOP_AT its first blob stops arriving after that many bytes, and the process waits for its end.
 */
import { writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";

import { type ContentSource, type Descriptor, digestOf } from "../../src/oci/index.ts";
import { openStore } from "../../src/store/index.ts";

const CHUNK = 20_000;

/** mulberry32: small, fast and the same everywhere. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

export function randomContent(seed: number): { readonly bytes: Buffer; readonly blob: Descriptor } {
  const random = randomNumbers(seed);
  const big = random() < 0.3;
  const bytes = Buffer.alloc(Math.floor(random() * (big ? 3_000_000 : 60_000)), `${seed} `);
  const algorithm = random() < 0.2 ? "sha512" : "sha256";
  return { bytes, blob: { mediaType: "text/plain", digest: digestOf(bytes, algorithm), size: bytes.length } };
}

/** Delivers in small pieces through one buffer, as a socket does. */
export function slowSource(bytes: Buffer, stopAt: number = Infinity): ContentSource {
  return {
    open: (_, { offset = 0 } = {}) =>
      Promise.resolve({
        async pump(consume) {
          const buffer = Buffer.alloc(CHUNK);
          for (let at = offset; at < bytes.length; at += CHUNK) {
            if (at >= stopAt) {
              writeSync(1, "stopped\n");
              setInterval(() => undefined, 60_000);
              await new Promise(() => undefined);
            }
            await consume(buffer.subarray(0, bytes.copy(buffer, 0, at, at + CHUNK)));
            await setImmediate();
          }
        },
        close: () => Promise.resolve(),
      }),
  };
}

async function main(folder: string, seed: number, stopAt: number | undefined): Promise<void> {
  await using store = await openStore(folder);
  const random = randomNumbers(seed);
  for (let i = 0; ; i++) {
    // Seeds from a small set, so that several writers want the same content at the same time.
    const content = randomContent(Math.floor(random() * 400));
    await store.write(content.blob, slowSource(content.bytes, stopAt));
    writeSync(1, `blob ${content.blob.digest}\n`);
    if (random() < 0.5) {
      const name = `example.com/${seed}:${i}`;
      await store.tag(content.blob, name);
      writeSync(1, `name ${name} ${content.blob.digest}\n`);
    }
  }
}

if (import.meta.main) {
  const [folder = "", seed = "0", stopAt] = process.argv.slice(2);
  await main(folder, Number(seed), stopAt === undefined ? undefined : Number(stopAt));
}
