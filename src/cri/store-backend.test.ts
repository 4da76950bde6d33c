import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";

import { type Descriptor, digestOf, MEDIA_TYPES, memoryStream, parseDigest } from "../oci/index.ts";
import { openMemoryStore, type Store } from "../store/index.ts";
import { PullAuths } from "./pull-auth.ts";
import { StoreBackend } from "./store-backend.ts";

const LAYER: Descriptor = {
  mediaType: MEDIA_TYPES.ociLayerGzip,
  digest: parseDigest(`sha256:${"1".repeat(64)}`),
  size: 1000,
};

async function put(store: Store, mediaType: string, content: unknown): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(content));
  const digest = digestOf(bytes);
  const descriptor = { mediaType, digest, size: bytes.length };
  await store.write(descriptor, { open: async (_, options) => memoryStream(bytes, options) });
  return descriptor;
}

async function makeImage(store: Store): Promise<Record<"config" | "manifest" | "index", Descriptor>> {
  const diff = `sha256:${"2".repeat(64)}`;
  const config = await put(store, MEDIA_TYPES.ociConfig, {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [diff, diff, diff] },
  });
  const mediaType = MEDIA_TYPES.ociManifest;
  const document = { schemaVersion: 2, mediaType, config, layers: [LAYER, LAYER, LAYER] };
  const manifest = await put(store, mediaType, document);
  const index = await put(store, MEDIA_TYPES.ociIndex, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: [{ ...manifest, platform: { os: "linux", architecture: "amd64" } }],
  });
  return { config, manifest, index };
}

function setUp(): { readonly store: Store; readonly sizes: () => Promise<readonly number[]> } {
  const store = openMemoryStore();
  const open = (): StoreBackend =>
    new StoreBackend({
      store,
      runtime: { pull: () => Promise.reject(new Error("nothing is pulled here")) },
      auths: new PullAuths(),
      platform: { os: "linux", architecture: "amd64" },
      folder: tmpdir(),
      collect: async () => {},
      now: Date.now,
    });
  const backend = open();
  return { store, sizes: async () => (await backend.list()).map(({ size }) => size) };
}

test("an image's size counts a layer as often as its manifest lists it", async () => {
  const { store, sizes } = setUp();
  const { config, manifest } = await makeImage(store);
  await store.tag(manifest, "r.example/a:1");
  assert.deepEqual(await sizes(), [manifest.size + config.size + 3 * LAYER.size]);
});

test("an image that a manifest and an index name has the size of what came first, as long as it has a name", async () => {
  const { store, sizes } = setUp();
  const { config, manifest, index } = await makeImage(store);
  const alone = manifest.size + config.size + 3 * LAYER.size;
  await store.tag(manifest, "r.example/b:1");
  assert.deepEqual(await sizes(), [alone]);
  await store.tag(index, "r.example/a:1");
  assert.deepEqual(await sizes(), [alone]);
  store.names.delete("r.example/b:1");
  assert.deepEqual(await sizes(), [alone]);
  store.names.delete("r.example/a:1");
  assert.deepEqual(await sizes(), []);
  await store.tag(index, "r.example/a:1");
  assert.deepEqual(await sizes(), [alone + index.size]);
});
