import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";

import { buildImage } from "../build/index.ts";
import type { Descriptor, Platform } from "../oci/index.ts";
import { openMemoryStore, type Store } from "../store/index.ts";
import { StoreImages } from "./store-images.ts";

const PLATFORM: Platform = { os: "linux", architecture: "amd64" };

function setUp(names: Iterable<string> = []): { readonly store: Store; readonly images: StoreImages } {
  const store = openMemoryStore();
  const collect = (): Promise<unknown> => store.collect({ grace: -1 });
  const pinned = async (): Promise<ReadonlySet<string>> => new Set(names);
  return { store, images: new StoreImages({ store, platform: PLATFORM, folder: tmpdir(), collect, pinned }) };
}

test("pins count from when they are made, by tag and by digest", async () => {
  const pins = new Set<string>();
  const { store, images } = setUp(pins);
  const { descriptor } = await build(store, "r.example/a:1", "index.ts");
  const isPinned = async (): Promise<boolean | undefined> => (await images.list())[0]?.pinned;
  assert.equal(await isPinned(), false);
  pins.add(`r.example/a@${descriptor.digest}`);
  assert.equal(await isPinned(), true);
  pins.clear();
  pins.add("r.example/a:1");
  assert.equal(await isPinned(), true);
});

function build(
  to: Store,
  as: string,
  content: string,
): Promise<{ readonly descriptor: Descriptor; readonly config: Descriptor }> {
  return buildImage({
    to,
    as,
    platform: PLATFORM,
    context: import.meta.dirname,
    copy: [{ from: content }],
  });
}

test("list() has one entry for each image, with all its names, and remove() takes all of them", async () => {
  const { store, images } = setUp(["r.example/b:1"]);
  const { descriptor, config } = await build(store, "r.example/a:1", "index.ts");
  await store.tag(descriptor, "r.example/a:2");
  await store.tag(descriptor, `r.example/c@${descriptor.digest}`);
  const other = await build(store, "r.example/b:1", "errors.ts");
  const listed = await images.list();
  const a = listed.find(({ id }) => id === config.digest);
  assert.deepEqual(a?.repoTags, ["r.example/a:1", "r.example/a:2"]);
  assert.deepEqual(a.repoDigests, [`r.example/a@${descriptor.digest}`, `r.example/c@${descriptor.digest}`]);
  assert.ok(a.size > config.size);
  assert.deepEqual(
    listed.map(({ pinned }) => pinned),
    [false, true],
  );
  await images.remove("r.example/nothing:1");
  await images.remove("r.example/a:2");
  assert.deepEqual(
    (await images.list()).map(({ id }) => id),
    [other.config.digest],
  );
  assert.equal(await store.has(descriptor), false, "its content is gone, too");
  await images.remove(other.config.digest);
  assert.deepEqual(await images.list(), []);
});

test("fileSystem() tells of the disk under the folder", async () => {
  const { capacityBytes = 0, availableBytes = 0 } = await setUp().images.fileSystem();
  assert.ok(capacityBytes > 0);
  assert.ok(availableBytes <= capacityBytes);
});
