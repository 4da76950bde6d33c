import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";

import { copy, type Descriptor, digestOf, MEDIA_TYPES } from "../oci/index.ts";
import { openMemoryStore, openStore } from "./open-store.ts";
import type { CollectVerdict, Store } from "./store.ts";

const root = mkdtempSync(join(tmpdir(), "dray-store-"));
after(() => rmSync(root, { recursive: true }));

const HOUR = 3_600_000;

/** A clock that tests move, beginning in the present since the kernel dates ingests. */
class Clock {
  time: number = Date.now();
  readonly now = (): number => this.time;
}

const KINDS = [
  { kind: "openStore()", open: (now: () => number) => openStore(mkdtempSync(join(root, "s-")), { now }) },
  { kind: "openMemoryStore()", open: (now: () => number) => Promise.resolve(openMemoryStore({ now })) },
];

async function put(store: Store, content: string | object, mediaType = "text/plain"): Promise<Descriptor> {
  const bytes = Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await store.blobs.write(descriptor, bytesSource(bytes));
  return descriptor;
}

function bytesSource(bytes: Buffer): {
  open(): Promise<{ pump(c: (b: Buffer) => unknown): Promise<void>; close(): Promise<void> }>;
} {
  return {
    open: () =>
      Promise.resolve({
        async pump(consume) {
          await consume(bytes);
        },
        close: () => Promise.resolve(),
      }),
  };
}

/** An image of one config and one layer, both named after it. */
async function putImage(store: Store, id: string, extra: object = {}): Promise<Descriptor> {
  const config = await put(store, { id }, MEDIA_TYPES.ociConfig);
  const layer = await put(store, `layer of ${id}`, MEDIA_TYPES.ociLayer);
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config,
    layers: [layer],
    ...extra,
  };
  return put(store, manifest, MEDIA_TYPES.ociManifest);
}

async function count(store: Store): Promise<number> {
  return (await Array.fromAsync(store.blobs.list())).length;
}

for (const { kind, open } of KINDS) {
  describe(kind, () => {
    const withStore = async (body: (store: Store, clock: Clock) => Promise<void>): Promise<void> => {
      const clock = new Clock();
      await using store = await open(clock.now);
      await body(store, clock);
    };

    test("names point at what they were given last, and are listed bytewise", () =>
      withStore(async (store, clock) => {
        const [one, two] = [await putImage(store, "1"), await putImage(store, "2")];
        store.names.put("b/é:1", one);
        const created = clock.time;
        clock.time += 5;
        store.names.put("b/é:1", { ...two, platform: { os: "linux", architecture: "arm64" } });
        for (const name of ["b/z:1", "a:1", "B:1"]) store.names.put(name, one);
        assert.deepEqual(
          [...store.names.list()].map((image) => image.name),
          ["B:1", "a:1", "b/z:1", "b/é:1"],
        );
        const image = store.names.find("b/é:1");
        assert.deepEqual([image?.createdAt, image?.updatedAt], [created, created + 5]);
        assert.equal(image?.target.platform?.architecture, "arm64");
        assert.deepEqual(
          store.names.findByTarget(one.digest).map(({ name }) => name),
          ["B:1", "a:1", "b/z:1"],
        );
        assert.equal(store.names.delete("a:1"), true);
        assert.equal(store.names.delete("a:1"), false);
        assert.equal(store.names.find("a:1"), undefined);
      }));

    test("resolve() knows names and the digests of documents", () =>
      withStore(async (store) => {
        const image = await putImage(store, "1");
        await store.tag(image, "a:1");
        assert.deepEqual(await store.resolve("a:1"), image);
        assert.deepEqual(await store.resolve(image.digest), image);
        await assert.rejects(store.resolve("b:1"), { code: "NAME_UNKNOWN" });
        await assert.rejects(store.resolve(digestOf("absent")), { code: "NAME_UNKNOWN" });
      }));

    test("tag() refuses what isn't there", () =>
      withStore(async (store) => {
        const absent = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf("absent"), size: 6 };
        await assert.rejects(store.tag(absent, "a:1"), { code: "BLOB_UNKNOWN" });
        assert.equal(store.names.find("a:1"), undefined);
      }));

    test("collect() keeps what names lead to through indexes, sparse ones too", () =>
      withStore(async (store, clock) => {
        const image = await putImage(store, "kept");
        const absent = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf("absent"), size: 6 };
        const inner = await put(store, { schemaVersion: 2, manifests: [image] }, MEDIA_TYPES.ociIndex);
        const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [absent, inner] };
        await store.tag(await put(store, index, MEDIA_TYPES.ociIndex), "a:1");
        const lost = await putImage(store, "lost");
        const bytes = (await Array.fromAsync(store.blobs.list())).reduce((sum, blob) => sum + blob.size, 0);
        clock.time += HOUR;
        const result = await store.collect();
        assert.deepEqual([result.kept.count, result.deleted.count], [5, 3]);
        assert.equal(result.kept.bytes + result.deleted.bytes, bytes);
        assert.equal(await store.blobs.find(lost.digest), undefined);
        assert.equal(await count(store), 5);
        store.names.delete("a:1");
        assert.equal((await store.collect()).deleted.count, 5);
        assert.equal(await count(store), 0);
      }));

    test("collect() keeps a document that appears as a layer elsewhere, with all it leads to", () =>
      withStore(async (store, clock) => {
        const image = await putImage(store, "both");
        const config = await put(store, "{}", MEDIA_TYPES.ociEmpty);
        const layers = [{ ...image, mediaType: "application/octet-stream" }];
        await store.tag(
          await put(store, { schemaVersion: 2, config, layers }, MEDIA_TYPES.ociManifest),
          "wrap:1",
        );
        await store.tag(image, "plain:1");
        clock.time += HOUR;
        assert.equal((await store.collect()).deleted.count, 0);
      }));

    test("collect() keeps what is attached to kept content, and drops it with that", () =>
      withStore(async (store, clock) => {
        const image = await putImage(store, "image");
        const sbom = await putImage(store, "sbom", { subject: image });
        await putImage(store, "signature of the sbom", { subject: sbom });
        await putImage(store, "signature of nothing", { subject: { ...image, digest: digestOf("gone") } });
        await store.tag(image, "a:1");
        clock.time += HOUR;
        const verdicts = new Map<string, CollectVerdict>();
        const result = await store.collect({ onVerdict: (verdict) => verdicts.set(verdict.id, verdict) });
        assert.deepEqual([result.kept.count, result.deleted.count], [9, 3]);
        assert.equal(verdicts.get(sbom.digest)?.reason, "referrer");
        assert.equal(verdicts.get(image.digest)?.reason, "reached");
        store.names.delete("a:1");
        assert.equal((await store.collect()).kept.count, 0);
      }));

    test("collect() spares what was used within the grace time, and what that leads to", () =>
      withStore(async (store, clock) => {
        const image = await putImage(store, "1");
        assert.equal((await store.collect()).deleted.count, 0);
        clock.time += HOUR;
        assert.equal(await store.has(image), true);
        const verdicts: CollectVerdict[] = [];
        await store.collect({ onVerdict: (verdict) => verdicts.push(verdict) });
        assert.deepEqual(
          verdicts.map((verdict) => [verdict.keep, verdict.reason]),
          Array.from({ length: 3 }, () => [true, "recent"]),
        );
        assert.equal((await store.collect({ grace: 0 })).deleted.count, 3);
      }));

    test("a lease protects its digests and what they lead to, until released or over", () =>
      withStore(async (store, clock) => {
        const image = await putImage(store, "1");
        const lease = store.leases.create({ ttl: 10 * HOUR });
        lease.add(image.digest);
        lease.add(digestOf("not here yet"));
        clock.time += 9 * HOUR;
        assert.equal((await store.collect()).deleted.count, 0);
        lease.add(image.digest);
        clock.time += 9 * HOUR;
        assert.equal((await store.collect({ dryRun: true })).deleted.count, 0);
        clock.time += 2 * HOUR;
        assert.equal((await store.collect({ dryRun: true })).deleted.count, 3);
        lease.add(image.digest);
        assert.equal((await store.collect({ dryRun: true })).deleted.count, 0);
        lease.release();
        assert.equal((await store.collect({ dryRun: true })).deleted.count, 3);
      }));

    test("what is written through the store stays until a name reaches it", () =>
      withStore(async (store, clock) => {
        const bytes = Buffer.from("early layer");
        const layer = { mediaType: MEDIA_TYPES.ociLayer, digest: digestOf(bytes), size: bytes.length };
        await store.write(layer, bytesSource(bytes));
        clock.time += 3 * HOUR;
        assert.equal((await store.collect()).deleted.count, 0);
        const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config: layer, layers: [] }));
        const root = {
          mediaType: MEDIA_TYPES.ociManifest,
          digest: digestOf(manifest),
          size: manifest.length,
        };
        await store.write(root, bytesSource(manifest));
        await store.tag(root, "a:1");
        clock.time += 3 * HOUR;
        assert.deepEqual([...store.leases.listDigests()], []);
        assert.equal((await store.collect()).deleted.count, 0);
        store.names.delete("a:1");
        assert.equal((await store.collect()).deleted.count, 2);
      }));

    test("writes that were begun protect what they share each on its own, and nothing once they end", () =>
      withStore(async (store, clock) => {
        const bytes = Buffer.from("shared layer");
        const layer = { mediaType: MEDIA_TYPES.ociLayer, digest: digestOf(bytes), size: bytes.length };
        const failing = store.begin();
        const succeeding = store.begin();
        await failing.write(layer, bytesSource(bytes));
        await succeeding.write(layer, bytesSource(bytes));
        const image = await putImage(store, "other");
        await succeeding.tag(image, "a:1");
        succeeding[Symbol.dispose]();
        clock.time += 3 * HOUR;
        assert.equal((await store.collect({ grace: 0 })).deleted.count, 0);
        failing[Symbol.dispose]();
        failing[Symbol.dispose]();
        assert.equal((await store.collect({ grace: 0 })).deleted.count, 1);
        await assert.rejects(failing.write(layer, bytesSource(bytes)), { code: "CLOSED" });
      }));

    test("writes that were begun end with the store", async () => {
      const store = await open(Date.now);
      const writes = store.begin();
      await writes.write(await put(store, "x"), bytesSource(Buffer.from("x")));
      await store.close();
      writes[Symbol.dispose]();
      assert.throws(() => store.begin(), { code: "CLOSED" });
    });

    test("collect() keeps roots that are handed in", () =>
      withStore(async (store, clock) => {
        const image = await putImage(store, "1");
        await putImage(store, "2");
        clock.time += HOUR;
        assert.equal((await store.collect({ roots: () => [image] })).deleted.count, 3);
      }));

    test("names and leases that appear during a collection are honoured", () =>
      withStore(async (store, clock) => {
        const [one, two] = [await putImage(store, "1"), await putImage(store, "2")];
        await putImage(store, "3");
        clock.time += HOUR;
        let asked = 0;
        const result = await store.collect({
          // Asked after names were read: what happens now is what another process does meanwhile.
          roots: () => {
            asked++;
            if (asked === 1) store.names.put("late:1", one);
            if (asked === 1) store.leases.create().add(two.digest);
            return [];
          },
        });
        assert.ok(asked > 1);
        assert.deepEqual([result.kept.count, result.deleted.count], [6, 3]);
      }));

    test("a document found during a collection keeps its content", () =>
      withStore(async (store, clock) => {
        const image = await putImage(store, "1");
        clock.time += HOUR;
        const finds: Promise<boolean>[] = [];
        const result = await store.collect({
          roots: () => {
            clock.time += 1;
            finds.push(store.has(image));
            return [];
          },
        });
        assert.deepEqual(await Promise.all(finds), [true]);
        assert.equal(result.deleted.count, 0);
      }));

    test("a dry run and usage() say what a collection would free, and free nothing", () =>
      withStore(async (store, clock) => {
        await store.tag(await putImage(store, "1"), "a:1");
        await putImage(store, "2");
        const ingest = await store.blobs.ingest("u");
        await ingest.write(Buffer.from("12345"));
        await ingest.close();
        clock.time += 8 * 24 * HOUR;
        const usage = await store.usage();
        assert.equal(usage.blobs.count, 6);
        assert.deepEqual(usage.ingests, { count: 1, bytes: 5 });
        assert.equal(usage.names, 1);
        const dry = await store.collect({ dryRun: true });
        assert.equal(await count(store), 6);
        const wet = await store.collect();
        assert.deepEqual(wet, dry);
        assert.deepEqual(usage.reclaimable, { count: 4, bytes: wet.deleted.bytes + 5 });
        assert.equal(await count(store), 3);
      }));

    test("collect() drops ingests that nobody continued, and only those", () =>
      withStore(async (store, clock) => {
        const old = await store.blobs.ingest("old");
        await old.close();
        const held = await store.blobs.ingest("held");
        clock.time += 8 * 24 * HOUR;
        assert.equal((await store.collect()).droppedIngests.count, 1);
        await held.write(Buffer.from("still going"));
        await held.commit({ digest: digestOf("still going") });
        assert.deepEqual(await Array.fromAsync(store.blobs.listIngests()), []);
      }));

    test("a closed store says so", () =>
      withStore(async (store) => {
        await store.close();
        const blob = { mediaType: "text/plain", digest: digestOf("x"), size: 1 };
        await assert.rejects(store.write(blob, bytesSource(Buffer.from("x"))), { code: "CLOSED" });
      }));
  });
}

test("leases and names of one process protect from a collection by another", async () => {
  const clock = new Clock();
  const dir = mkdtempSync(join(root, "shared-"));
  await using mine = await openStore(dir, { now: clock.now });
  await using theirs = await openStore(dir, { now: clock.now });
  const [one, two] = [await putImage(mine, "1"), await putImage(mine, "2")];
  await putImage(mine, "3");
  mine.leases.create().add(one.digest);
  clock.time += HOUR;
  let asked = 0;
  const result = await theirs.collect({
    roots: () => {
      if (asked++ === 0) mine.names.put("late:1", two);
      return [];
    },
  });
  assert.equal(asked, 2);
  assert.deepEqual([result.kept.count, result.deleted.count], [6, 3]);
});

test("copy() brings an image from one store to another, name included, and nothing twice", async () => {
  const from = openMemoryStore();
  const config = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } };
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: await put(from, config, MEDIA_TYPES.ociConfig),
    layers: [await put(from, "layer", MEDIA_TYPES.ociLayer)],
  };
  await from.tag(await put(from, manifest, MEDIA_TYPES.ociManifest), "example.com/a:1");
  await using store = await openStore(mkdtempSync(join(root, "copied-")));
  const first = await copy(from, "example.com/a:1", { to: store, as: "example.com/b:2" });
  assert.equal(first.written, 3);
  assert.deepEqual(await store.resolve("example.com/b:2"), await from.resolve("example.com/a:1"));
  assert.equal((await copy(from, "example.com/a:1", { to: store, as: "example.com/b:2" })).written, 0);
  assert.deepEqual([...store.leases.listDigests()], []);
});
