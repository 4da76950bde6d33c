/** What every implementation of {@link Garbage} has to do; part of the suite for metadata. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf, type Digest } from "../../oci/index.ts";
import type { NewManifest, RegistryMetadata } from "../metadata.ts";
import type { LooseKind } from "./garbage.ts";

const MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json";
const EVER = Number.MAX_SAFE_INTEGER;

interface Clock {
  now: number;
}

export function testGarbage(name: string, open: (clock: () => number) => Promise<RegistryMetadata>): void {
  const check = (
    promise: string,
    body: (metadata: RegistryMetadata, clock: Clock) => Promise<void>,
  ): void => {
    test(`${name}: ${promise}`, async () => {
      const clock = { now: 1_000_000 };
      await using metadata = await open(() => clock.now);
      await body(metadata, clock);
    });
  };

  check("a blob is loose until a manifest of its repository names it", async (metadata) => {
    const blob = await link(metadata, "r", "a");
    await link(metadata, "s", "a");
    assert.deepEqual(await looseIn(metadata, "blob"), ["r a", "s a"]);
    await put(metadata, "r", "m", { blobs: [blob] });
    assert.deepEqual(await looseIn(metadata, "blob"), ["s a"]);
    await link(metadata, "r", "a");
    assert.deepEqual(await looseIn(metadata, "blob"), ["s a"], "pushed again, it is still named");
  });

  check("the last of several manifests that goes leaves its blobs loose", async (metadata, clock) => {
    const blob = await link(metadata, "r", "a");
    const first = await put(metadata, "r", "m1", { blobs: [blob] });
    const second = await put(metadata, "r", "m2", { blobs: [blob] });
    await metadata.deleteManifest("r", first);
    assert.deepEqual(await looseIn(metadata, "blob"), []);
    clock.now += 500;
    await metadata.deleteManifest("r", second);
    const [loose] = await metadata.garbage.listLoose({ kind: "blob", before: EVER, limit: 9 });
    assert.equal(loose?.since, clock.now);
  });

  check("a manifest is loose while neither tag nor index names it", async (metadata) => {
    const child = await put(metadata, "r", "child");
    assert.deepEqual(await looseIn(metadata, "manifest"), ["r child"]);
    const index = await put(metadata, "r", "index", { manifests: [child], tags: ["t"] });
    assert.deepEqual(await looseIn(metadata, "manifest"), []);
    await put(metadata, "r", "other", { tags: ["t"] });
    assert.deepEqual(await looseIn(metadata, "manifest"), ["r index"], "its tag moved away");
    await metadata.deleteManifest("r", index);
    assert.deepEqual(await looseIn(metadata, "manifest"), ["r child"]);
    await put(metadata, "r", "child", { tags: ["c"] });
    await metadata.deleteTag("r", "c");
    assert.deepEqual(await looseIn(metadata, "manifest"), ["r child"]);
  });

  check("a referrer stays with its subject, and is told apart once that is gone", async (metadata) => {
    const subject = digestOf("subject");
    await put(metadata, "r", "early", { subject });
    assert.deepEqual(await looseIn(metadata, "referrer"), ["r early"]);
    await put(metadata, "r", "subject", { tags: ["t"] });
    await put(metadata, "r", "late", { subject });
    assert.deepEqual([await looseIn(metadata, "referrer"), await looseIn(metadata, "manifest")], [[], []]);
    await metadata.deleteManifest("r", subject);
    assert.deepEqual(await looseIn(metadata, "referrer"), ["r early", "r late"]);
  });

  check("who is told that something loose is there begins its time again", async (metadata, clock) => {
    const blob = await link(metadata, "r", "a");
    const manifest = await put(metadata, "r", "m");
    clock.now += 5_000;
    await metadata.findBlob("r", blob);
    assert.equal((await metadata.findManifest("r", manifest))?.loose, undefined);
    assert.equal(
      (await metadata.garbage.listLoose({ kind: "blob", before: clock.now - 1, limit: 9 })).length,
      1,
    );
    assert.notEqual(await metadata.findBlob("r", blob, { touch: true }), undefined);
    assert.equal((await metadata.findManifest("r", manifest, { touch: true }))?.loose, true);
    for (const kind of ["blob", "manifest"] as const) {
      assert.deepEqual(await metadata.garbage.listLoose({ kind, before: clock.now - 1, limit: 9 }), []);
    }
    await put(metadata, "r", "m", { tags: ["t"] });
    assert.equal((await metadata.findManifest("r", manifest, { touch: true }))?.loose, false);
  });

  check("only what is still loose and old enough is dropped", async (metadata, clock) => {
    const [named, asked] = [await link(metadata, "r", "named"), await link(metadata, "r", "asked")];
    await link(metadata, "r", "old");
    const listed = await metadata.garbage.listLoose({ kind: "blob", before: EVER, limit: 9 });
    assert.equal(listed.length, 3);
    const before = clock.now;
    clock.now += 5_000;
    await put(metadata, "r", "m", { blobs: [named] });
    await metadata.findBlob("r", asked, { touch: true });
    const dropped = await metadata.garbage.dropLooseBlobs(listed, before);
    assert.deepEqual(
      dropped.map((one) => one.digest),
      [digestOf("old")],
    );
    assert.equal(await metadata.findBlob("r", digestOf("old")), undefined);
    assert.notEqual(await metadata.findBlob("r", named), undefined);
    assert.notEqual(await metadata.findBlob("r", asked), undefined);
    const unshown = await metadata.garbage.listUnshown({ before: EVER, limit: 9 });
    assert.deepEqual(
      unshown.map((one) => ({ ...one })),
      [{ digest: digestOf("old"), since: before, shown: 0 }],
      "grace is given once",
    );
  });

  check(
    "dropped manifests take their links along, and what they named begins its time",
    async (metadata, clock) => {
      const blob = await link(metadata, "r", "a");
      const child = await put(metadata, "r", "child", { blobs: [blob] });
      await put(metadata, "r", "index", { manifests: [child] });
      const listed = await metadata.garbage.listLoose({ kind: "manifest", before: EVER, limit: 9 });
      clock.now += 10_000;
      const dropped = await metadata.garbage.dropLooseManifests(listed, {
        before: clock.now,
        since: clock.now - 7,
      });
      assert.deepEqual(
        dropped.map((one) => one.digest),
        [digestOf("index")],
      );
      const [left] = await metadata.garbage.listLoose({ kind: "manifest", before: EVER, limit: 9 });
      assert.deepEqual([left?.digest, left?.since], [child, clock.now - 7]);
      assert.deepEqual(await looseIn(metadata, "blob"), [], "still named by the child");
    },
  );

  check(
    "content is unshown once its last repository lets go, and shown again with the next",
    async (metadata) => {
      const blob = await link(metadata, "r", "a");
      await link(metadata, "s", "a");
      await metadata.unlinkBlob("r", blob);
      assert.deepEqual(await unshownIn(metadata), []);
      await metadata.unlinkBlob("s", blob);
      assert.deepEqual(await unshownIn(metadata), ["a"]);
      const manifest = await put(metadata, "r", "a");
      assert.deepEqual(await unshownIn(metadata), [], "the same bytes as a manifest");
      assert.equal(await metadata.garbage.countShown(blob), 1);
      await metadata.deleteManifest("r", manifest);
      assert.deepEqual(await unshownIn(metadata), ["a"]);
    },
  );

  check("content that was expected and never came to be shown is found", async (metadata, clock) => {
    const digest = digestOf("a");
    await metadata.garbage.expectContent(digest);
    assert.deepEqual(await unshownIn(metadata), ["a"]);
    const before = clock.now;
    clock.now += 1_000;
    await metadata.garbage.expectContent(digest);
    await metadata.garbage.forgetUnshown(digest, before);
    assert.deepEqual(await unshownIn(metadata), ["a"], "expected again meanwhile");
    await link(metadata, "r", "a");
    assert.deepEqual(await unshownIn(metadata), []);
  });

  check("lists of garbage come oldest first, in pages", async (metadata, clock) => {
    for (const text of ["a", "b", "c", "d", "e"]) {
      await link(metadata, text < "c" ? "z" : "r", text);
      if (text !== "b") clock.now += 1;
    }
    const seen: string[] = [];
    let after: Awaited<ReturnType<typeof metadata.garbage.listLoose>>[number] | undefined;
    for (;;) {
      const page = await metadata.garbage.listLoose({ kind: "blob", before: EVER, after, limit: 2 });
      if (page.length === 0) break;
      seen.push(...page.map((one) => nameOf(one.digest)));
      after = page.at(-1);
    }
    assert.deepEqual(seen.slice(0, 1), ["a"]);
    assert.deepEqual(seen.slice(1, 3).toSorted(), ["b", "c"]);
    assert.deepEqual(seen.slice(3), ["d", "e"]);
    const mine = await metadata.garbage.listLoose({ kind: "blob", before: EVER, repository: "r", limit: 9 });
    assert.deepEqual(
      mine.map((one) => nameOf(one.digest)),
      ["c", "d", "e"],
    );
  });

  check("tags go only as they were listed", async (metadata, clock) => {
    const old = await put(metadata, "r", "m", { tags: ["a", "b", "c"] });
    const listed = await metadata.garbage.listTagRecords("r", { limit: 9 });
    assert.deepEqual(
      listed.map((tag) => [tag.name, tag.digest, tag.taggedAt]),
      [
        ["a", old, clock.now],
        ["b", old, clock.now],
        ["c", old, clock.now],
      ],
    );
    clock.now += 1;
    await put(metadata, "r", "m", { tags: ["a"] });
    await put(metadata, "r", "n", { tags: ["b"] });
    assert.deepEqual(
      (await metadata.garbage.dropTags("r", listed)).map((tag) => tag.name),
      ["c"],
    );
    assert.deepEqual(await metadata.listTags("r", { limit: 9 }), ["a", "b"]);
    assert.deepEqual(await looseIn(metadata, "manifest"), []);
  });

  check("the same bytes under another type name something else", async (metadata) => {
    const blob = await link(metadata, "r", "a");
    await put(metadata, "r", "m", { blobs: [blob] });
    await metadata.putManifest(
      "r",
      { ...manifestOf("m"), mediaType: "other" },
      { tags: [], blobs: [], manifests: [] },
    );
    assert.deepEqual(await looseIn(metadata, "blob"), ["r a"]);
  });
}

const NAMES = [
  "a",
  "b",
  "c",
  "d",
  "e",
  "m",
  "m1",
  "m2",
  "child",
  "index",
  "other",
  "early",
  "late",
  "subject",
  "named",
  "asked",
  "old",
];

function nameOf(digest: Digest): string {
  return NAMES.find((name) => digestOf(name) === digest) ?? digest;
}

function manifestOf(text: string): NewManifest {
  return { digest: digestOf(text), mediaType: MEDIA_TYPE, size: text.length };
}

async function link(metadata: RegistryMetadata, repository: string, text: string): Promise<Digest> {
  await metadata.linkBlob(repository, { digest: digestOf(text), size: text.length });
  return digestOf(text);
}

async function put(
  metadata: RegistryMetadata,
  repository: string,
  text: string,
  options: {
    readonly blobs?: readonly Digest[];
    readonly manifests?: readonly Digest[];
    readonly tags?: readonly string[];
    readonly subject?: Digest;
  } = {},
): Promise<Digest> {
  const { blobs = [], manifests = [], tags = [], subject } = options;
  const record = manifestOf(text);
  const manifest = subject === undefined ? record : { ...record, referrer: { subject, descriptor: record } };
  const outcome = await metadata.putManifest(repository, manifest, { blobs, manifests, tags });
  assert.equal(outcome.kind, "stored");
  return record.digest;
}

async function looseIn(metadata: RegistryMetadata, kind: LooseKind): Promise<string[]> {
  const all = await metadata.garbage.listLoose({ kind, before: EVER, limit: 99 });
  return all.map((one) => `${one.repository} ${nameOf(one.digest)}`).toSorted();
}

async function unshownIn(metadata: RegistryMetadata): Promise<string[]> {
  const all = await metadata.garbage.listUnshown({ before: EVER, limit: 99 });
  return all.map((one) => nameOf(one.digest)).toSorted();
}
