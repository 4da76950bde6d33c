/** What every {@link BlobStore} promises, as tests; each implementation's own test file runs them. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";

import {
  type ContentSource,
  type Descriptor,
  type Digest,
  type DigestAlgorithm,
  digestOf,
} from "../oci/index.ts";
import type { BlobStore } from "./blob-store.ts";

export interface ConformanceOptions {
  /** A new, empty store, that takes its time from `now`. */
  readonly open: (options: { readonly now: () => number }) => Promise<BlobStore>;
}

export function testBlobStore(name: string, options: ConformanceOptions): void {
  const start = Date.now();
  const withStore = async (
    body: (store: BlobStore, clock: { now: number }) => Promise<void>,
  ): Promise<void> => {
    const clock = { now: start };
    await using store = await options.open({ now: () => clock.now });
    await body(store, clock);
  };

  describe(name, () => {
    for (const algorithm of ["sha256", "sha384", "sha512"] as const) {
      test(`keeps ${algorithm} content and gives it back from any offset`, () =>
        withStore(async (store) => {
          const bytes = randomBytes(300_001);
          const blob = describeBytes(bytes, algorithm);
          assert.equal(await store.has(blob), false);
          assert.equal(await store.write(blob, sourceOf(bytes)), "written");
          assert.equal(await store.has(blob), true);
          for (const offset of [0, 1, 299_999, 300_001]) {
            assert.deepEqual(await read(store, blob, offset), bytes.subarray(offset));
          }
          assert.equal((await store.find(blob.digest))?.size, bytes.length);
        }));
    }

    test("keeps the empty blob without asking the source", () =>
      withStore(async (store) => {
        const blob = describeBytes(Buffer.alloc(0));
        const source: ContentSource = { open: () => Promise.reject(new Error("not needed")) };
        assert.equal(await store.write(blob, source), "written");
        assert.deepEqual(await read(store, blob), Buffer.alloc(0));
      }));

    test("writes once, and says so the second time", () =>
      withStore(async (store) => {
        const bytes = randomBytes(10);
        const source = sourceOf(bytes);
        await store.write(describeBytes(bytes), source);
        assert.equal(await store.write(describeBytes(bytes), source), "exists");
        assert.deepEqual(source.offsets, [0]);
      }));

    test("copies what it keeps: a source may reuse its buffer", () =>
      withStore(async (store) => {
        const bytes = randomBytes(200_000);
        await store.write(describeBytes(bytes), {
          open: () =>
            Promise.resolve({
              async pump(consume) {
                const buffer = Buffer.alloc(7_001);
                for (let at = 0; at < bytes.length; at += buffer.length) {
                  const size = bytes.copy(buffer, 0, at, at + buffer.length);
                  await consume(buffer.subarray(0, size));
                  buffer.fill(0);
                }
              },
              close: () => Promise.resolve(),
            }),
        });
        assert.deepEqual(await read(store, describeBytes(bytes)), bytes);
      }));

    test("refuses wrong bytes and keeps nothing of them", () =>
      withStore(async (store) => {
        const wanted = describeBytes(randomBytes(100));
        await assert.rejects(store.write(wanted, sourceOf(randomBytes(100))), { code: "DIGEST_INVALID" });
        assert.equal(await store.has(wanted), false);
        assert.equal(await store.findIngest(wanted.digest), undefined);
      }));

    test("refuses too few and too many bytes, whatever they hash to", () =>
      withStore(async (store) => {
        const bytes = randomBytes(100);
        const blob = describeBytes(bytes);
        for (const size of [99, 101]) {
          await assert.rejects(store.write({ ...blob, size }, sourceOf(bytes)), { code: "SIZE_INVALID" });
          assert.equal(await store.find(blob.digest), undefined);
          assert.equal(await store.findIngest(blob.digest), undefined);
        }
        await store.write(blob, sourceOf(bytes));
        await assert.rejects(store.write({ ...blob, size: 99 }, sourceOf(bytes)), { code: "SIZE_INVALID" });
        assert.equal(await store.has({ ...blob, size: 99 }), false);
      }));

    test("stops reading a source that doesn't end", () =>
      withStore(async (store) => {
        const blob = describeBytes(randomBytes(1_000));
        let delivered = 0;
        const endless: ContentSource = {
          open: () =>
            Promise.resolve({
              async pump(consume) {
                for (;;) {
                  await consume(Buffer.alloc(100));
                  delivered += 100;
                }
              },
              close: () => Promise.resolve(),
            }),
        };
        await assert.rejects(store.write(blob, endless), { code: "SIZE_INVALID" });
        assert.equal(delivered, 1_000);
      }));

    test("continues where a broken source stopped", () =>
      withStore(async (store) => {
        const bytes = randomBytes(250_000);
        const blob = describeBytes(bytes);
        const cut = sourceOf(bytes, { cutAt: 100_000 });
        await assert.rejects(store.write(blob, cut), /cut off/);
        assert.equal(await store.has(blob), false);
        assert.equal((await store.findIngest(blob.digest))?.offset, 100_000);
        const whole = sourceOf(bytes);
        const progress: number[] = [];
        await store.write(blob, whole, { onProgress: (n) => progress.push(n) });
        assert.deepEqual(whole.offsets, [100_000]);
        assert.equal(progress[0], 100_000);
        assert.equal(progress.at(-1), bytes.length);
        assert.deepEqual(await read(store, blob), bytes);
        assert.equal(await store.findIngest(blob.digest), undefined);
      }));

    test("begins anew when what was left of an earlier write is wrong", () =>
      withStore(async (store) => {
        const bytes = randomBytes(50_000);
        const blob = describeBytes(bytes);
        for (const left of [randomBytes(10_000), randomBytes(50_000), randomBytes(60_000)]) {
          const ingest = await store.ingest(blob.digest);
          await ingest.write(left);
          await ingest.close();
          const source = sourceOf(bytes);
          assert.equal(await store.write(blob, source), "written");
          assert.equal(source.offsets.at(-1), 0);
          assert.equal(await store.delete(blob.digest), true);
        }
      }));

    test("leaves nothing behind when a source doesn't even open", () =>
      withStore(async (store) => {
        const blob = describeBytes(randomBytes(10));
        await assert.rejects(store.write(blob, { open: () => Promise.reject(new Error("gone")) }), /gone/);
        assert.equal(await store.findIngest(blob.digest), undefined);
      }));

    test("shares one transfer among identical writes", () =>
      withStore(async (store) => {
        const bytes = randomBytes(100_000);
        const sources = Array.from({ length: 8 }, () => sourceOf(bytes));
        await Promise.all(sources.map((source) => store.write(describeBytes(bytes), source)));
        assert.equal(sources.flatMap((source) => source.offsets).length, 1);
      }));

    test("a caller that gives up leaves those who share the transfer alone", () =>
      withStore(async (store) => {
        const bytes = randomBytes(1_000);
        const gate = Promise.withResolvers<void>();
        const source = sourceOf(bytes, { gate: gate.promise });
        const abort = new AbortController();
        const first = store.write(describeBytes(bytes), source, { signal: abort.signal });
        const second = store.write(describeBytes(bytes), source);
        await source.opened;
        abort.abort(new Error("enough"));
        await assert.rejects(first, /enough/);
        gate.resolve();
        assert.equal(await second, "written");
        assert.equal(source.offsets.length, 1);
      }));

    test("a caller whose partner's source fails tries its own", () =>
      withStore(async (store) => {
        const bytes = randomBytes(1_000);
        const results = await Promise.allSettled([
          store.write(describeBytes(bytes), sourceOf(bytes, { cutAt: 500 })),
          store.write(describeBytes(bytes), sourceOf(bytes)),
        ]);
        assert.deepEqual(
          results.map((result) => result.status),
          ["rejected", "fulfilled"],
        );
      }));

    test("an aborted write keeps its bytes and frees its ingest at once", () =>
      withStore(async (store) => {
        const bytes = randomBytes(100_000);
        const blob = describeBytes(bytes);
        const abort = new AbortController();
        const writing = store.write(blob, sourceOf(bytes), {
          signal: abort.signal,
          onProgress: (n) => n >= 50_000 && abort.abort(new Error("enough")),
        });
        await assert.rejects(writing, /enough/);
        const ingest = await store.ingest(blob.digest);
        assert.ok(ingest.offset >= 50_000);
        await ingest.abort();
        await assert.rejects(store.write(blob, sourceOf(bytes), { signal: AbortSignal.abort() }), {
          name: "AbortError",
        });
      }));

    test("a write waits for whoever holds the ingest, and can be told to stop waiting", () =>
      withStore(async (store) => {
        const bytes = randomBytes(100);
        const blob = describeBytes(bytes);
        const holder = await store.ingest(blob.digest);
        const abort = new AbortController();
        const waiting = store.write(blob, sourceOf(bytes), { signal: abort.signal });
        abort.abort(new Error("enough"));
        await assert.rejects(waiting, /enough/);
        const patient = store.write(blob, sourceOf(randomBytes(100)));
        await holder.write(bytes);
        await holder.commit(blob);
        assert.ok(["exists", "written"].includes(await patient));
      }));

    test("an ingest has one writer, grows, survives closing, and ends with its commit", () =>
      withStore(async (store) => {
        const bytes = randomBytes(90_000);
        const first = await store.ingest("upload 1/ü");
        await first.write(bytes.subarray(0, 40_000));
        await first.write(bytes.subarray(40_000, 40_010));
        await assert.rejects(store.ingest("upload 1/ü"), { code: "INGEST_BUSY" });
        await assert.rejects(store.deleteIngest("upload 1/ü"), { code: "INGEST_BUSY" });
        await first.close();
        await first.close();
        assert.throws(() => first.write(bytes), { code: "INGEST_INVALID" });
        const second = await store.ingest("upload 1/ü");
        assert.equal(second.offset, 40_010);
        await second.write(bytes.subarray(40_010));
        const infos = await Array.fromAsync(store.listIngests());
        assert.deepEqual(
          infos.map((info) => [info.key, info.offset]),
          [["upload 1/ü", 90_000]],
        );
        const info = await second.commit({ digest: digestOf(bytes) });
        assert.equal(info.size, bytes.length);
        assert.deepEqual(await read(store, describeBytes(bytes)), bytes);
        assert.deepEqual(await Array.fromAsync(store.listIngests()), []);
      }));

    test("an ingest commits to an algorithm that it didn't hash along the way", () =>
      withStore(async (store) => {
        const bytes = randomBytes(70_000);
        const ingest = await store.ingest("u", { algorithms: ["sha256"] });
        await ingest.write(bytes);
        const digest = digestOf(bytes, "sha512");
        await ingest.commit({ digest, size: bytes.length });
        assert.deepEqual(await read(store, { ...describeBytes(bytes), digest }), bytes);
      }));

    test("truncating drops what a refused chunk left", () =>
      withStore(async (store) => {
        const bytes = randomBytes(120_000);
        const ingest = await store.ingest("u");
        await ingest.write(bytes.subarray(0, 50_000));
        await ingest.close();
        const again = await store.ingest("u");
        for (const offset of [50_000, 30_000, 0]) {
          await again.write(randomBytes(33_000));
          await again.write(randomBytes(10));
          await again.truncate(offset);
          assert.equal(again.offset, offset);
        }
        await assert.rejects(again.truncate(1), RangeError);
        await again.write(bytes.subarray(0, 60_000));
        await again.truncate(59_999);
        await again.write(bytes.subarray(59_999));
        await again.commit(describeBytes(bytes));
        assert.deepEqual(await read(store, describeBytes(bytes)), bytes);
      }));

    test("a mismatch at commit ends the ingest and drops its bytes", () =>
      withStore(async (store) => {
        for (const [code, expected] of [
          ["DIGEST_INVALID", { digest: digestOf("other") }],
          ["SIZE_INVALID", { digest: digestOf("some"), size: 5 }],
        ] as const) {
          const ingest = await store.ingest("u");
          await ingest.write(Buffer.from("some"));
          await assert.rejects(ingest.commit(expected), { code });
          assert.equal(await store.findIngest("u"), undefined);
          assert.equal(await store.find(expected.digest), undefined);
        }
      }));

    test("committing what is already there succeeds", () =>
      withStore(async (store) => {
        const bytes = randomBytes(10);
        await store.write(describeBytes(bytes), sourceOf(bytes));
        const ingest = await store.ingest("u");
        await ingest.write(bytes);
        assert.equal((await ingest.commit(describeBytes(bytes))).size, 10);
        assert.equal(await store.findIngest("u"), undefined);
      }));

    test("refuses keys that can't be kept", () =>
      withStore(async (store) => {
        for (const key of ["", "x".repeat(201), "\ud800"]) {
          await assert.rejects(store.ingest(key), { code: "INGEST_INVALID" });
        }
        for (const key of ["..", "../x", ".", "a/b", "mutex", "owners", "a.part"]) {
          const ingest = await store.ingest(key);
          await ingest.write(Buffer.from(key));
          await ingest.close();
          assert.equal(await store.deleteIngest(key), true);
        }
      }));

    test("lists blobs and deletes them", () =>
      withStore(async (store) => {
        const blobs = [randomBytes(1), randomBytes(2), randomBytes(3)];
        const digests = blobs.map((bytes) => digestOf(bytes));
        for (const bytes of blobs) await store.write(describeBytes(bytes), sourceOf(bytes));
        assert.deepEqual((await list(store)).toSorted(), digests.toSorted());
        assert.equal(await store.delete(digests[0] as Digest), true);
        assert.equal(await store.delete(digests[0] as Digest), false);
        assert.deepEqual((await list(store)).toSorted(), digests.slice(1).toSorted());
        await assert.rejects(store.open(describeBytes(blobs[0] as Buffer)), { code: "BLOB_UNKNOWN" });
      }));

    test("spares what was touched since, when asked to delete the unused", () =>
      withStore(async (store, clock) => {
        const bytes = randomBytes(10);
        const blob = describeBytes(bytes);
        await store.write(blob, sourceOf(bytes));
        const written = clock.now;
        for (const touch of [
          () => store.has(blob),
          () => store.write(blob, sourceOf(bytes)),
          () => store.find(blob.digest, { touch: true }),
        ]) {
          const before = clock.now;
          clock.now += 3_600_000;
          await touch();
          assert.equal(await store.delete(blob.digest, { unusedSince: before }), false);
        }
        clock.now += 3_600_000;
        await store.find(blob.digest);
        await read(store, blob);
        assert.equal(await store.delete(blob.digest, { unusedSince: written }), false);
        assert.equal(await store.delete(blob.digest, { unusedSince: clock.now - 3_600_000 }), true);
      }));

    test("passes on what a reader throws, and reads stop at a signal", () =>
      withStore(async (store) => {
        const bytes = randomBytes(600_000);
        const blob = describeBytes(bytes);
        await store.write(blob, sourceOf(bytes));
        const stream = await store.open(blob);
        const full = (): never => {
          throw new Error("full");
        };
        await assert.rejects(stream.pump(full), /full/);
        await stream.close();
        const abort = new AbortController();
        const other = await store.open(blob, { signal: abort.signal });
        await assert.rejects(
          other.pump(() => abort.abort(new Error("enough"))),
          /enough/,
        );
        const unread = await store.open(blob);
        await unread.close();
        await unread.close();
      }));

    test("takes nothing more once closed", () =>
      withStore(async (store) => {
        await store.close();
        await store.close();
        await assert.rejects(store.ingest("u"), { code: "CLOSED" });
      }));
  });
}

function describeBytes(bytes: Buffer, algorithm: DigestAlgorithm = "sha256"): Descriptor {
  return { mediaType: "application/octet-stream", digest: digestOf(bytes, algorithm), size: bytes.length };
}

interface ScriptedSource extends ContentSource {
  readonly offsets: number[];
  readonly opened: Promise<void>;
}

/** Delivers `bytes` through one reused buffer; may break off or wait on the way. */
function sourceOf(
  bytes: Buffer,
  options: { readonly cutAt?: number; readonly gate?: Promise<void> } = {},
): ScriptedSource {
  const opened = Promise.withResolvers<void>();
  const offsets: number[] = [];
  return {
    offsets,
    opened: opened.promise,
    open(_, { offset = 0 } = {}) {
      offsets.push(offset);
      opened.resolve();
      return Promise.resolve({
        async pump(consume) {
          await options.gate;
          const end = options.cutAt ?? bytes.length;
          const buffer = Buffer.alloc(10_000);
          for (let at = offset; at < end; at += buffer.length) {
            await consume(buffer.subarray(0, bytes.copy(buffer, 0, at, Math.min(end, at + buffer.length))));
          }
          if (options.cutAt !== undefined) throw new Error("cut off");
        },
        close: () => Promise.resolve(),
      });
    },
  };
}

async function read(store: BlobStore, descriptor: Descriptor, offset = 0): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const stream = await store.open(descriptor, { offset });
  await stream.pump((chunk) => void chunks.push(Buffer.from(chunk)));
  return Buffer.concat(chunks);
}

async function list(store: BlobStore): Promise<Digest[]> {
  return (await Array.fromAsync(store.list())).map((info) => info.digest);
}
