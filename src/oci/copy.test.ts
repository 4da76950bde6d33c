import assert from "node:assert/strict";
import { test } from "node:test";

import { type ContentSource, type ImageSink, type WriteOutcome } from "./content.ts";
import { copy, type CopyEvent } from "./copy.ts";
import { MAX_INDEX_DEPTH } from "./copy-plan.ts";
import { type Descriptor } from "./descriptor.ts";
import { digestOf } from "./digest.ts";
import { ANNOTATIONS } from "./annotations.ts";
import { MEDIA_TYPES } from "./media-types.ts";
import { MemoryContent } from "./memory-content.ts";
import { type Platform } from "./platform.ts";

const AMD64: Platform = { os: "linux", architecture: "amd64" };
const ARM64: Platform = { os: "linux", architecture: "arm64" };

test("copy() brings everything an index reaches, byte for byte, and names it last", async () => {
  const from = new MemoryContent({ chunkSize: 3 });
  const { index } = multiPlatform(from);
  const to = new RecordingSink();
  const result = await copy(from, "1", { to, as: "copied" });

  assert.deepEqual(result.descriptor.digest, index.digest);
  assert.equal(result.manifest, undefined);
  assert.equal(result.written, from.digests.length);
  for (const digest of from.digests) assert.deepEqual(to.content.find(digest), from.find(digest));
  assert.equal(to.content.tags.get("copied")?.digest, index.digest);
  assert.deepEqual(to.incomplete, [], "documents written before what they refer to");
  assert.deepEqual(to.log.at(-1), "tag copied");
});

test("copy() for a platform keeps the index, or drops it", async () => {
  const from = new MemoryContent();
  const { index, manifests } = multiPlatform(from);
  const node = new MemoryContent();
  const kept = await copy(from, "1", { to: node, as: "a", platform: ARM64 });
  assert.equal(kept.descriptor.digest, index.digest);
  assert.equal(kept.manifest?.digest, manifests[1]?.digest);
  assert.equal(node.digests.length, 1 + 1 + 3, "index, one manifest, its config and layers");

  const registry = new MemoryContent();
  const dropped = await copy(from, "1", { to: registry, as: "a", platform: ARM64, index: "drop" });
  assert.equal(dropped.descriptor.digest, manifests[1]?.digest);
  assert.equal(registry.digests.length, 1 + 3);
  assert.equal(registry.find(index.digest), undefined);
});

test("copy() says which platforms there are when none fits", async () => {
  const from = new MemoryContent();
  multiPlatform(from);
  const wanted: Platform = { os: "linux", architecture: "s390x" };
  await assert.rejects(copy(from, "1", { to: new MemoryContent(), platform: wanted }), {
    code: "PLATFORM_UNKNOWN",
    message: /it has linux\/amd64, linux\/arm64$/,
  });
});

test("copy() looks into configs and nested indexes for a platform nobody states", async () => {
  const from = new MemoryContent();
  const other = image(from, "other", ARM64);
  const wanted = image(from, "wanted", AMD64);
  const artifact = from.addDocument(
    { schemaVersion: 2, config: from.add("x", "application/vnd.example"), layers: [] },
    MEDIA_TYPES.ociManifest,
  );
  const inner = from.addDocument({ schemaVersion: 2, manifests: [other, wanted] }, MEDIA_TYPES.ociIndex);
  const empty = from.addDocument({ schemaVersion: 2, manifests: [] }, MEDIA_TYPES.ociIndex);
  const outer = { schemaVersion: 2, manifests: [artifact, empty, inner] };
  await from.tag(from.addDocument(outer, MEDIA_TYPES.ociIndex), "1");
  const to = new MemoryContent();
  const { manifest } = await copy(from, "1", { to, platform: AMD64 });
  assert.equal(manifest?.digest, wanted.digest);
  assert.ok(to.find(inner.digest));
  assert.equal(to.find(empty.digest), undefined);
  assert.equal(to.find(other.digest), undefined);
});

test("copy() refuses a digest that is said to have two sizes", async () => {
  const from = new MemoryContent();
  const layer = from.add("layer", MEDIA_TYPES.ociLayer);
  const longer = { ...layer, size: layer.size + 1 };
  const twice = image(from, "twice", AMD64, [layer, longer]);
  const one = image(from, "one", AMD64);
  const listed = [one, { ...one, size: one.size + 1 }];
  const index = from.addDocument({ schemaVersion: 2, manifests: listed }, MEDIA_TYPES.ociIndex);
  const to = new MemoryContent();
  await assert.rejects(copy(from, twice.digest, { to }), {
    code: "MANIFEST_INVALID",
    message: /said to have both [0-9]+ and [0-9]+ bytes$/,
  });
  await assert.rejects(copy(from, index.digest, { to }), { code: "SIZE_INVALID" });
  assert.equal(to.digests.length, 0);
});

test("copy() reads and writes a shared layer once", async () => {
  const from = new MemoryContent();
  const layer = from.add("shared", MEDIA_TYPES.ociLayer);
  const manifests = ["a", "b"].map((name) => image(from, name, AMD64, [layer]));
  await from.tag(from.addDocument({ schemaVersion: 2, manifests }, MEDIA_TYPES.ociIndex), "1");
  const to = new RecordingSink();
  await copy(from, "1", { to });
  assert.equal(to.log.filter((entry) => entry === `write ${layer.digest}`).length, 1);
});

test("copy() leaves foreign layers where they are unless asked", async () => {
  const from = new MemoryContent();
  const foreign = from.add("foreign", MEDIA_TYPES.ociForeignLayerGzip);
  await from.tag(image(from, "a", AMD64, [foreign]), "1");
  const without = new MemoryContent();
  const events: CopyEvent[] = [];
  await copy(from, "1", { to: without, onEvent: (event) => events.push(event) });
  assert.equal(without.find(foreign.digest), undefined);
  assert.ok(events.some((event) => event.type === "done" && event.outcome === "skipped"));
  const withThem = new MemoryContent();
  await copy(from, "1", { to: withThem, foreignLayers: true });
  assert.ok(withThem.find(foreign.digest));
});

test("copy() tells of each content when found, under way and done", async () => {
  const from = new MemoryContent({ chunkSize: 2 });
  const { index } = multiPlatform(from);
  const events: CopyEvent[] = [];
  const to = new RecordingSink({ tagWrites: true });
  await copy(from, "1", { to, as: "a", onEvent: (event) => events.push(event) });
  const digestsOf = (type: CopyEvent["type"]): string[] =>
    events.filter((event) => event.type === type).map(({ descriptor }) => descriptor.digest);
  assert.deepEqual(digestsOf("found").toSorted(), from.digests.toSorted());
  assert.deepEqual(digestsOf("done").toSorted(), from.digests.toSorted());
  const firstDone = events.findIndex(({ type }) => type === "done");
  assert.ok(events.slice(0, from.digests.length).every(({ type }) => type === "found") && firstDone > 0);
  assert.ok(digestsOf("progress").length > from.digests.length);
  assert.equal(to.log.includes(`write ${index.digest}`), false, "naming the root is writing it there");
});

test("copy() holds no more contents under way than it may", async () => {
  const from = new MemoryContent();
  const layers = Array.from({ length: 10 }, (_, index) => from.add(`layer ${index}`, MEDIA_TYPES.ociLayer));
  await from.tag(image(from, "a", AMD64, layers), "1");
  const to = new RecordingSink();
  await copy(from, "1", { to, concurrency: 2 });
  assert.equal(to.most, 2);
});

test("copy() names nothing when a content turns out wrong", async () => {
  const from = new MemoryContent();
  const layer = from.add("layer", MEDIA_TYPES.ociLayer);
  const lie = { ...layer, digest: digestOf("another layer") };
  await from.tag(image(from, "a", AMD64, [layer, lie]), "1");
  const broken = { ...bind(from), open: serving(from, lie, layer) };
  const to = new RecordingSink();
  await assert.rejects(copy(broken, "1", { to, as: "a" }), { code: "DIGEST_INVALID" });
  assert.deepEqual(to.content.tags.size, 0);
  assert.equal(
    to.log.some((entry) => entry.startsWith("tag")),
    false,
  );
});

test("copy() stops when it is told to", async () => {
  const from = new MemoryContent();
  multiPlatform(from);
  const stop = new AbortController();
  const to = new RecordingSink();
  const copying = copy(from, "1", {
    to,
    as: "a",
    signal: stop.signal,
    onEvent: ({ type }) => {
      if (type === "done") stop.abort(new Error("enough"));
    },
  });
  await assert.rejects(copying, /enough/);
  assert.equal(to.content.tags.size, 0);
});

test("copy() refuses indexes without end, and schema 1", async () => {
  const from = new MemoryContent();
  let root = image(from, "a", AMD64);
  for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
    root = from.addDocument({ schemaVersion: 2, manifests: [root] }, MEDIA_TYPES.ociIndex);
  }
  await from.tag(root, "deep");
  for (const platform of [undefined, AMD64]) {
    await assert.rejects(copy(from, "deep", { to: new MemoryContent(), platform }), {
      code: "MANIFEST_INVALID",
    });
  }
  const old = from.addDocument({ schemaVersion: 1, fsLayers: [] }, MEDIA_TYPES.dockerSchema1Signed);
  await from.tag(from.addDocument({ schemaVersion: 2, manifests: [old] }, MEDIA_TYPES.ociIndex), "old");
  await assert.rejects(copy(from, "old", { to: new MemoryContent() }), { code: "MANIFEST_UNSUPPORTED" });
});

function image(
  to: MemoryContent,
  name: string,
  platform: Platform,
  layers?: readonly Descriptor[],
): Descriptor {
  const rootfs = { type: "layers", diff_ids: [] };
  const config = to.addDocument({ ...platform, author: name, rootfs }, MEDIA_TYPES.ociConfig);
  const own = ["bottom", "top"].map((part) => to.add(`${name} ${part}`, MEDIA_TYPES.ociLayerGzip));
  const document = { schemaVersion: 2, unknown: "kept", config, layers: layers ?? own };
  return to.addDocument(document, MEDIA_TYPES.ociManifest);
}

function multiPlatform(to: MemoryContent): { index: Descriptor; manifests: readonly Descriptor[] } {
  const manifests = [AMD64, ARM64].map((platform) => ({
    ...image(to, platform.architecture, platform),
    platform,
  }));
  const attestation = {
    ...image(to, "attestation", AMD64),
    platform: { os: "unknown", architecture: "unknown" },
    annotations: { [ANNOTATIONS.attestationType]: "attestation-manifest" },
  };
  const document = { schemaVersion: 2, manifests: [...manifests, attestation] };
  const index = to.addDocument(document, MEDIA_TYPES.ociIndex);
  void to.tag(index, "1");
  return { index, manifests };
}

function bind(from: MemoryContent): Pick<MemoryContent, "open" | "resolve"> {
  return { open: (...all) => from.open(...all), resolve: (...all) => from.resolve(...all) };
}

function serving(from: MemoryContent, asked: Descriptor, served: Descriptor): ContentSource["open"] {
  return (descriptor, options) =>
    from.open(descriptor.digest === asked.digest ? served : descriptor, options);
}

/** Remembers the order of what is asked of it, and what was written before it was complete. */
class RecordingSink implements ImageSink {
  readonly content = new MemoryContent();
  readonly log: string[] = [];
  readonly incomplete: string[] = [];
  readonly tagWrites: boolean;
  most = 0;
  #now = 0;

  constructor({ tagWrites = false } = {}) {
    this.tagWrites = tagWrites;
  }

  has(descriptor: Descriptor): Promise<boolean> {
    return this.content.has(descriptor);
  }

  async write(...[descriptor, source, options]: Parameters<ImageSink["write"]>): Promise<WriteOutcome> {
    this.most = Math.max(this.most, ++this.#now);
    this.log.push(`write ${descriptor.digest}`);
    const outcome = await this.content.write(descriptor, source, options);
    this.#now--;
    const document = this.content.find(descriptor.digest);
    const referred = /json/.test(descriptor.mediaType)
      ? (document?.toString().match(/sha256:[0-9a-f]{64}/g) ?? [])
      : [];
    const missing = referred.filter((digest) => !this.content.digests.some((known) => known === digest));
    this.incomplete.push(...missing);
    return outcome;
  }

  async tag(...[descriptor, reference, options]: Parameters<ImageSink["tag"]>): Promise<void> {
    this.log.push(`tag ${reference}`);
    if (this.tagWrites && options?.source) await this.content.write(descriptor, options.source, options);
    await this.content.tag(descriptor, reference);
  }
}
