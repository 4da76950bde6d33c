import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf, MEDIA_TYPES, type Digest } from "../../oci/index.ts";
import { MemoryBlobStore } from "../../store/index.ts";
import { openSqliteMetadata } from "../sqlite-metadata.ts";
import { TestRegistry } from "../testing.ts";
import { collectGarbage, GRACE, type CollectGarbageResult, type CollectVerdict } from "./collect.ts";

class Scene extends TestRegistry {
  async image(repository: string, tag: string, ...layers: readonly Digest[]): Promise<Digest> {
    const describe = (digest: Digest): object => ({ mediaType: MEDIA_TYPES.ociLayer, digest, size: 1 });
    const [config] = layers;
    assert.ok(config !== undefined);
    const document = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: describe(config),
      layers: layers.map(describe),
    };
    assert.equal((await this.put(`/v2/${repository}/manifests/${tag}`, document)).status, 201);
    return digestOf(JSON.stringify(document));
  }

  async collect(
    options: { readonly dryRun?: boolean; readonly verdicts?: CollectVerdict[] } = {},
  ): Promise<CollectGarbageResult> {
    const { dryRun, verdicts } = options;
    const { collected } = await this.registry.collect({
      dryRun,
      onVerdict: (verdict) =>
        verdict.kind !== "tag" && verdict.kind !== "manifest" && verdicts?.push(verdict),
    });
    return collected;
  }

  async head(repository: string, digest: Digest): Promise<number> {
    return (await this.send("HEAD", `/v2/${repository}/blobs/${digest}`)).status;
  }

  has(digest: Digest): Promise<boolean> {
    return this.blobs.find(digest).then((info) => info !== undefined);
  }
}

test("what nothing names goes after its time of grace, from its repository and the store", async () => {
  await using scene = new Scene();
  const [used, stray] = [await scene.pushBlob("r", "used"), await scene.pushBlob("r", "stray")];
  const image = await scene.image("r", "t", used);
  scene.now += GRACE - 1;
  assert.equal((await scene.collect()).freed.count, 0);
  assert.equal(await scene.has(stray), true);
  scene.now += 1;
  const result = await scene.collect();
  assert.deepEqual(result.freed, { count: 1, bytes: "stray".length });
  assert.deepEqual([...result.repositories], [["r", { count: 1, bytes: "stray".length }]]);
  assert.equal(result.finished, true);
  assert.deepEqual(
    [await scene.has(stray), await scene.has(used), await scene.has(image)],
    [false, true, true],
  );
  assert.equal(await scene.head("r", stray), 404);
  assert.equal(await scene.head("r", used), 200);
});

test("what is deleted keeps its bytes for the time of grace, and nobody sees them", async () => {
  await using scene = new Scene();
  const blob = await scene.pushBlob("r", "layer");
  const image = await scene.image("r", "t", blob);
  scene.now += 10 * GRACE;
  assert.equal((await scene.send("DELETE", `/v2/r/manifests/${image}`)).status, 202);
  await scene.collect();
  assert.deepEqual([await scene.has(image), await scene.has(blob)], [true, true]);
  scene.now += GRACE;
  assert.equal((await scene.collect()).freed.count, 2);
  assert.deepEqual([await scene.has(image), await scene.has(blob)], [false, false]);
});

test("a client that was told a blob is there can name it for the time of grace", async () => {
  await using scene = new Scene();
  const blob = await scene.pushBlob("r", "layer");
  scene.now += GRACE - 1;
  assert.equal(await scene.head("r", blob), 200);
  scene.now += GRACE - 1;
  await scene.collect();
  await scene.image("r", "t", blob);
  scene.now += 10 * GRACE;
  await scene.collect();
  assert.equal(await scene.head("r", blob), 200);
});

test("a client that was told a child is there can name it in an index", async () => {
  await using scene = new Scene({
    collection: { retention: [{ repositories: ["**"], untaggedAfter: GRACE }] },
  });
  const blob = await scene.pushBlob("r", "layer");
  const child = await scene.image("r", "t", blob);
  await scene.send("DELETE", "/v2/r/manifests/t");
  scene.now += GRACE - 1;
  // Twice, since the second is answered from memory.
  for (const _ of [1, 2]) {
    assert.equal((await scene.send("GET", `/v2/r/manifests/${child}`)).status, 200);
    assert.equal((await scene.send("HEAD", `/v2/r/manifests/${child}`)).status, 200);
    scene.now += GRACE / 2;
  }
  await scene.collect();
  assert.equal((await scene.send("HEAD", `/v2/r/manifests/${child}`)).status, 200);
  scene.now += GRACE + 1;
  await scene.collect();
  assert.equal((await scene.send("HEAD", `/v2/r/manifests/${child}`)).status, 404);
});

test("bytes stay while any repository shows them, and a mount counts", async () => {
  await using scene = new Scene();
  const blob = await scene.pushBlob("a", "layer");
  await scene.image("a", "t", blob);
  scene.now += GRACE - 1;
  const mounted = await scene.send("POST", `/v2/b/blobs/uploads/?mount=${blob}&from=a`);
  assert.equal(mounted.status, 201);
  await scene.send("DELETE", `/v2/a/blobs/${blob}`);
  scene.now += GRACE - 1;
  await scene.collect();
  assert.equal(await scene.head("b", blob), 200);
  scene.now += GRACE;
  await scene.collect();
  assert.equal(await scene.has(blob), false, "neither repository names it");
});

test("bytes that came and were never shown are found, and those of a refused manifest", async () => {
  await using scene = new Scene();
  const config = { mediaType: MEDIA_TYPES.ociConfig, digest: digestOf("absent"), size: 6 };
  const document = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [] };
  assert.equal((await scene.put("/v2/r/manifests/t", document)).status, 400);
  assert.equal(await scene.has(digestOf(JSON.stringify(document))), true);
  scene.now += GRACE;
  assert.equal((await scene.collect()).freed.count, 1);
  assert.equal(await scene.has(digestOf(JSON.stringify(document))), false);
});

test("a document of a type nobody knows keeps all it mentions", async () => {
  await using scene = new Scene();
  const blob = await scene.pushBlob("r", "layer");
  const answer = await scene.put(
    "/v2/r/manifests/t",
    { parts: { first: blob } },
    { "content-type": "application/x-own" },
  );
  assert.equal(answer.status, 201);
  scene.now += 10 * GRACE;
  await scene.collect();
  assert.equal(await scene.head("r", blob), 200);
});

test("a dry run says what a run does, with its reasons, and does nothing", async () => {
  await using scene = new Scene();
  const shared = await scene.pushBlob("a", "shared");
  await scene.pushBlob("b", "shared");
  const old = await scene.pushBlob("a", "old");
  await scene.image("b", "t", shared);
  scene.now += GRACE;
  const young = await scene.pushBlob("a", "young");
  const verdicts: CollectVerdict[] = [];
  const told = await scene.collect({ dryRun: true, verdicts });
  assert.deepEqual(
    verdicts.map(({ kind, repository, digest, keep, reason }) => [kind, repository, digest, keep, reason]),
    [
      ["blob", "a", ...(shared < old ? [shared] : [old]), false, "unnamed"],
      ["blob", "a", ...(shared < old ? [old] : [shared]), false, "unnamed"],
      ["blob", "a", young, true, "recent"],
      ["content", undefined, old, false, "unshown"],
    ],
  );
  assert.deepEqual([await scene.head("a", old), await scene.has(old)], [200, true]);
  scene.now += GRACE;
  const done = await scene.collect();
  assert.deepEqual(told.freed, { count: 1, bytes: 3 });
  assert.equal(done.repositories.get("a")?.count, 3);
});

test("a run stops when its time is over, and the next one goes on", async () => {
  await using scene = new Scene();
  for (let count = 0; count < 200; count++) await scene.pushBlob("r", `blob ${count}`);
  scene.now += GRACE;
  let time = 0;
  const { blobs, metadata } = scene;
  const clock = (): number => scene.now;
  const run = async (): Promise<CollectGarbageResult> =>
    await collectGarbage(
      { blobs, metadata, clock },
      {
        workTime: 0,
        pauseTime: 1,
        timeLimit: 50,
        stopwatch: () => time,
        wait: async (pause) => void (time += pause),
      },
    );
  let freed = 0;
  let runs = 0;
  for (let finished = false; !finished; runs++) {
    const result = await run();
    finished = result.finished;
    freed += result.freed.count;
  }
  assert.equal(freed, 200);
  assert.ok(runs >= 4, `${runs} runs`);
});

test("a run that dies between forgetting and deleting leaves the rest to the next one", async () => {
  await using scene = new Scene();
  const blob = await scene.pushBlob("r", "stray");
  scene.now += GRACE;
  const { metadata } = scene;
  const failing = Object.create(scene.blobs) as MemoryBlobStore;
  failing.find = (digest) => scene.blobs.find(digest);
  failing.delete = () => Promise.reject(new Error("the machine died"));
  const clock = (): number => scene.now;
  await assert.rejects(collectGarbage({ blobs: failing, metadata, clock }), /the machine died/);
  assert.deepEqual([await scene.head("r", blob), await scene.has(blob)], [404, true]);
  assert.equal((await scene.collect()).freed.count, 1);
});

test("one per cent of garbage among a hundred thousand blobs costs what one per cent costs", async () => {
  let now = 1_000_000;
  const clock = (): number => now;
  await using metadata = openSqliteMetadata(":memory:", { clock });
  const blobs = new MemoryBlobStore({ now: clock });
  const [manifests, parts, stray] = [1_000, 99, 1_000];
  const digests = Array.from({ length: parts * manifests }, (_, index) => digestOf(`blob ${index}`));
  for (let index = 0; index < manifests; index++) {
    const mine = digests.slice(index * parts, (index + 1) * parts);
    for (const digest of mine) await metadata.linkBlob(`r${index % 50}`, { digest, size: 1 });
    const manifest = { digest: digestOf(`manifest ${index}`), mediaType: MEDIA_TYPES.ociManifest, size: 1 };
    await metadata.putManifest(`r${index % 50}`, manifest, {
      tags: [`t${index}`],
      blobs: mine,
      manifests: [],
    });
  }
  for (let index = 0; index < stray; index++) {
    const ingest = await blobs.ingest("x");
    await ingest.write(Buffer.from(`stray ${index}`));
    const blob = await ingest.commit({ digest: digestOf(`stray ${index}`) });
    await metadata.linkBlob("r0", blob);
  }
  now += GRACE;
  const asked = { find: 0, delete: 0, list: 0 };
  const counted = Object.create(blobs) as MemoryBlobStore;
  counted.find = (digest, options) => (asked.find++, blobs.find(digest, options));
  counted.delete = (digest, options) => (asked.delete++, blobs.delete(digest, options));
  counted.list = (options) => (asked.list++, blobs.list(options));
  const result = await collectGarbage({ blobs: counted, metadata, clock }, { pauseTime: 0 });
  assert.equal(result.freed.count, stray);
  // Once as a blob of its repository, once as bytes of the store.
  assert.equal(result.examined, 2 * stray);
  assert.deepEqual(asked, { find: stray, delete: stray, list: 0 });
  const again = await collectGarbage({ blobs: counted, metadata, clock });
  assert.equal(again.examined, 0, "nothing is looked at where nothing is to be had");
});
