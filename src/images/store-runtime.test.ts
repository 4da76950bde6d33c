import assert from "node:assert/strict";
import { test } from "node:test";

import { buildImage, buildIndex } from "../build/index.ts";
import {
  type Descriptor,
  digestOf,
  type ImageSource,
  memoryStream,
  type Platform,
  readContent,
} from "../oci/index.ts";
import type { Reference } from "../reference/index.ts";
import { type Store, openMemoryStore } from "../store/index.ts";
import { ByteRate } from "./byte-rate.ts";
import type { PullProgress } from "./image-runtime.ts";
import { Secret, type TrackedCredential } from "../credentials/index.ts";
import { preferLocalDocuments } from "./local-documents.ts";
import { StoreRuntime } from "./store-runtime.ts";

const AMD64: Platform = { os: "linux", architecture: "amd64" };
const ARM64: Platform = { os: "linux", architecture: "arm64" };

interface World {
  readonly remote: Store;
  readonly store: Store;
  readonly runtime: StoreRuntime;
  /** What was read from the registry, by digest. */
  readonly opened: string[];
}

async function setUp(platform: Platform = AMD64): Promise<World> {
  const remote = openMemoryStore();
  const store = openMemoryStore();
  const opened: string[] = [];
  const registry = ({ domain, path }: Reference): ImageSource => ({
    resolve: (object, options) => {
      const separator = object.includes(":") ? "@" : ":";
      return remote.resolve(separator === "@" ? object : `${domain}/${path}:${object}`, options);
    },
    open: (descriptor, options) => {
      opened.push(descriptor.digest);
      return remote.open(descriptor, options);
    },
  });
  return { remote, store, opened, runtime: new StoreRuntime({ store, registry, platform }) };
}

function build(
  to: Store,
  platform: Platform,
  as?: string,
): Promise<{ readonly descriptor: Descriptor; readonly config: Descriptor }> {
  return buildImage({ to, as, platform, context: import.meta.dirname, copy: [{ from: "index.ts" }] });
}

test("pull() names the image in the store and says its id, digest and size", async () => {
  const { remote, store, runtime } = await setUp();
  const { descriptor, config } = await build(remote, AMD64, "r.example/a:1");
  const seen: PullProgress[] = [];
  const image = await runtime.pull("r.example/a:1", { onProgress: (progress) => seen.push(progress) });
  assert.deepEqual([image.id, image.digest], [config.digest, descriptor.digest]);
  assert.equal(store.names.find("r.example/a:1")?.target.digest, descriptor.digest);
  const last = seen.at(-1);
  assert.deepEqual([last?.bytes, last?.total], [image.size, image.size]);
  assert.deepEqual(
    last?.contents?.map(({ phase, bytes, size }) => [phase, bytes === size]),
    [
      ["done", true],
      ["done", true],
      ["done", true],
    ],
    "layer, config and manifest",
  );
  assert.deepEqual(await runtime.find("r.example/a:1"), image);
  assert.deepEqual(
    await runtime.find(`r.example/a@${descriptor.digest}`),
    image,
    "the same content by digest",
  );
  assert.equal(
    await runtime.find(`r.example/other@${descriptor.digest}`),
    undefined,
    "another repository's name",
  );
  assert.equal(await runtime.find("r.example/a:2"), undefined);
  assert.deepEqual(await runtime.find(config.digest), image, "by its id");
  assert.equal(await runtime.find(descriptor.digest), undefined, "a manifest's digest is no id");
});

test("pull() takes this platform out of an index, and find() knows when another one is missing", async () => {
  const { remote, store, opened, runtime } = await setUp(ARM64);
  const images = [await build(remote, AMD64), await build(remote, ARM64)].map(({ descriptor }) => descriptor);
  const index = await buildIndex({ images, to: remote, as: "r.example/multi:1" });
  const image = await runtime.pull("r.example/multi:1");
  assert.equal(image.digest, index.digest);
  const [amd, arm] = images as [Descriptor, Descriptor];
  assert.deepEqual([opened.includes(amd.digest), opened.includes(arm.digest)], [false, true]);
  assert.deepEqual(await runtime.find("r.example/multi:1"), image);
  const other = new StoreRuntime({ store, platform: AMD64, registry: () => remote });
  assert.equal(await other.find("r.example/multi:1"), undefined);
});

test("find() does not count an image that lost a layer", async () => {
  const { remote, store, runtime } = await setUp();
  await build(remote, AMD64, "r.example/a:1");
  await runtime.pull("r.example/a:1");
  for await (const { digest } of store.blobs.list()) {
    if (digest === store.names.find("r.example/a:1")?.target.digest) continue;
    await store.blobs.delete(digest);
    break;
  }
  assert.equal(await runtime.find("r.example/a:1"), undefined);
});

test("identical pulls in flight read each content once", async () => {
  const { remote, opened, runtime } = await setUp();
  await build(remote, AMD64, "docker.io/library/a:1");
  const names = ["a:1", "docker.io/library/a:1", "library/a:1"];
  const images = await Promise.all(names.map((name) => runtime.pull(name)));
  assert.equal(new Set(images.map(({ digest }) => digest)).size, 1);
  assert.equal(opened.length, new Set(opened).size);
});

test("pulls keep to a rate that all of them share", async () => {
  const { remote } = await setUp();
  for (const name of ["a", "b"]) await build(remote, AMD64, `r.example/${name}:1`);
  let now = 0;
  const wait = async (milliseconds: number): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    now += milliseconds;
  };
  const byteRate = new ByteRate({ bytesPerSecond: 1000, now: () => now, wait });
  // One source, but two stores: what the first has brought is no help to the second.
  const pulls = ["a", "b"].map((name) => {
    const store = openMemoryStore();
    const registry = (): ImageSource => ({
      resolve: (_, options) => remote.resolve(`r.example/${name}:1`, options),
      open: (descriptor, options) => remote.open(descriptor, options),
    });
    return new StoreRuntime({ store, platform: AMD64, byteRate, registry }).pull(`r.example/${name}:1`);
  });
  const bytes = (await Promise.all(pulls)).reduce((sum, { size }) => sum + size, 0);
  assert.ok(now > bytes * 0.9 && now <= bytes, `${bytes} bytes at 1 byte/ms took ${now} ms`);
});

test("credentials are tried in turn, and who pulls beside another proves access for itself", async () => {
  const { remote, store } = await setUp();
  await build(remote, AMD64, "r.example/a:1");
  const asked: (string | null | undefined)[] = [];
  const runtime = new StoreRuntime({
    store,
    platform: AMD64,
    registry: (_, credential) => ({
      open: (descriptor, options) => remote.open(descriptor, options),
      resolve: async (_object, options) => {
        asked.push(credential && credential.username);
        if (credential?.username !== "right") throw new Error(`${credential?.username ?? "nobody"} refused`);
        return await remote.resolve("r.example/a:1", options);
      },
    }),
  });
  const [wrong, right] = ["wrong", "right"].map((username): TrackedCredential => {
    const origin = { kind: "argument", label: "test" } as const;
    return { username, password: new Secret("pw"), email: "", owner: undefined, hash: "", origin };
  }) as [TrackedCredential, TrackedCredential];
  const [image, ...refused] = await Promise.allSettled([
    runtime.pull("r.example/a:1", { credentials: [wrong, right] }),
    runtime.pull("r.example/a:1", { credentials: [] }),
    runtime.pull("r.example/a:1", { credentials: [wrong] }),
  ]);
  assert.equal(image.status === "fulfilled" ? image.value.credential : undefined, right);
  assert.deepEqual(
    refused.map((result) => result.status === "rejected" && (result.reason as Error).message),
    ["nobody refused", "wrong refused"],
  );
  assert.deepEqual(asked.map(String).toSorted(), ["null", "right", "wrong"]);
  await assert.rejects(runtime.pull("r.example/a:1"), /nobody refused/, "its own sources are another asker");
});

test("what a tag pointed to before it moved stays under its digest, once", async () => {
  const { remote, store, runtime } = await setUp();
  const first = await build(remote, AMD64, "r.example/a:1");
  const name = `r.example/a@${first.descriptor.digest}`;
  for (let pulls = 0; pulls < 2; pulls++) await runtime.pull("r.example/a:1");
  assert.deepEqual(
    [...store.names.list()].map((named) => named.name),
    ["r.example/a:1"],
  );
  const second = await build(remote, ARM64, "r.example/other:1");
  remote.names.put("r.example/a:1", second.descriptor);
  await runtime.pull("r.example/a:1");
  assert.equal(store.names.find("r.example/a:1")?.target.digest, second.descriptor.digest);
  assert.equal((await runtime.find(name))?.id, first.config.digest);
  assert.equal(
    (await runtime.find(first.config.digest))?.id,
    first.config.digest,
    "a Pod may name it by its id",
  );
  await store.collect();
  assert.equal(await store.has(first.descriptor), true);
  // By digest nothing moves.
  await runtime.pull(name);
  assert.equal([...store.names.list()].length, 2);
});

test("a tag that moved to what is no image leaves its name to the image that was there", async () => {
  const { remote, store, runtime } = await setUp();
  const { descriptor } = await build(remote, AMD64, "r.example/a:1");
  const image = await runtime.pull("r.example/a:1");
  const artifact = Buffer.from("no image");
  const target = { mediaType: "text/plain", digest: digestOf(artifact), size: artifact.length };
  await remote.write(target, { open: (_, options) => Promise.resolve(memoryStream(artifact, options)) });
  await remote.tag(target, "r.example/a:1");
  await assert.rejects(runtime.pull("r.example/a:1"), { code: "MANIFEST_UNSUPPORTED" });
  assert.equal(store.names.find("r.example/a:1")?.target.digest, descriptor.digest);
  assert.equal((await runtime.find("r.example/a:1"))?.id, image.id);
});

test("pull() of what is here asks the registry for the name alone, and for what was damaged", async () => {
  const { remote, store, runtime, opened } = await setUp();
  const { descriptor } = await build(remote, AMD64, "r.example/a:1");
  await remote.tag(descriptor, "r.example/a:2");
  const { id } = await runtime.pull("r.example/a:1");
  opened.length = 0;
  assert.equal((await runtime.pull("r.example/a:1")).id, id);
  assert.equal((await runtime.pull("r.example/a:2")).id, id);
  assert.deepEqual(opened, []);
  await assert.rejects(runtime.pull("r.example/a:3"), { code: "NAME_UNKNOWN" });

  const damaged: Pick<Store, "open" | "has"> = {
    has: async () => true,
    open: async (content) => memoryStream(new Uint8Array(content.size)),
  };
  const source = preferLocalDocuments(remote, damaged);
  assert.equal((await readContent(source, descriptor)).length, descriptor.size);
  assert.equal(store.names.find("r.example/a:2")?.target.digest, descriptor.digest);
});
