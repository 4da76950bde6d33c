/** Collections that come at the worst moment of a push: between storing bytes and showing them, and right after. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf, MEDIA_TYPES, type Digest } from "../../oci/index.ts";
import { MemoryBlobStore } from "../../store/index.ts";
import type { RegistryMetadata } from "../metadata.ts";
import { openRegistry } from "../registry.ts";
import { openSqliteMetadata } from "../sqlite-metadata.ts";
import { collectGarbage, GRACE } from "./collect.ts";

type Moment = "before" | "after";

/** A registry in which `meddle` runs around every change that shows something. */
async function withMeddling(
  meddle: (moment: Moment, scene: Scene) => Promise<void>,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  let now = 1_000_000;
  const clock = (): number => now;
  const blobs = new MemoryBlobStore({ now: clock });
  await using metadata = openSqliteMetadata(":memory:", { clock });
  const meddling: RegistryMetadata = new Proxy(metadata, {
    get(target, name): unknown {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const call = async (...args: readonly unknown[]): Promise<unknown> => {
        await meddle("before", scene);
        const result: unknown = await Reflect.apply(value, target, args);
        await meddle("after", scene);
        return result;
      };
      const shows = name === "linkBlob" || name === "finishUpload" || name === "putManifest";
      return shows ? call : value.bind(target);
    },
  });
  await using registry = openRegistry({ blobs, metadata: meddling, clock });
  const scene: Scene = {
    blobs,
    metadata,
    send: async (method, path, text) => {
      const init = { method, ...(text !== undefined && { body: Buffer.from(text) }) };
      return await registry.fetch(new Request(`http://registry${path}`, init));
    },
    collect: async () => void (await collectGarbage({ blobs, metadata, clock })),
    clock,
    pass: (time) => void (now += time),
  };
  await body(scene);
}

interface Scene {
  readonly blobs: MemoryBlobStore;
  readonly metadata: RegistryMetadata;
  readonly send: (method: string, path: string, text?: string) => Promise<Response>;
  readonly collect: () => Promise<void>;
  readonly clock: () => number;
  readonly pass: (time: number) => void;
}

/** Pushes in both ways. */
async function push(scene: Scene, text: string, way: "post" | "put"): Promise<Response> {
  const uploads = "/v2/r/blobs/uploads/";
  if (way === "post") return await scene.send("POST", `${uploads}?digest=${digestOf(text)}`, text);
  const location = (await scene.send("POST", uploads)).headers.get("location");
  return await scene.send("PUT", `${location}?digest=${digestOf(text)}`, text);
}

async function isThere(scene: Scene, digest: Digest): Promise<boolean> {
  const answer = await scene.send("GET", `/v2/r/blobs/${digest}`);
  return answer.status === 200 && digestOf(Buffer.from(await answer.arrayBuffer())) === digest;
}

for (const way of ["post", "put"] as const) {
  test(`old bytes that a ${way} counts on are spared from a collection in between`, async () => {
    await withMeddling(
      async (_, { collect }) => await collect(),
      async (scene) => {
        // Left by somebody else, and as good as collected.
        const ingest = await scene.blobs.ingest("other");
        await ingest.write(Buffer.from("layer"));
        await ingest.commit({ digest: digestOf("layer") });
        await scene.metadata.garbage.expectContent(digestOf("layer"));
        scene.pass(2 * GRACE);
        assert.equal((await push(scene, "layer", way)).status, 201);
        assert.equal(await isThere(scene, digestOf("layer")), true);
      },
    );
  });

  test(`a ${way} that slept through its time of grace is told to begin again, and lies to nobody`, async () => {
    let asleep = true;
    await withMeddling(
      async (moment, { collect, pass }) => {
        if (moment === "after" || !asleep) return;
        pass(2 * GRACE);
        await collect();
      },
      async (scene) => {
        const answer = await push(scene, "layer", way);
        assert.equal(answer.status, 404);
        assert.equal(await isThere(scene, digestOf("layer")), false);
        assert.equal((await scene.send("HEAD", `/v2/r/blobs/${digestOf("layer")}`)).status, 404);
        asleep = false;
        assert.equal((await push(scene, "layer", way)).status, 201);
        assert.equal(await isThere(scene, digestOf("layer")), true);
      },
    );
  });
}

test("a manifest that slept through its time of grace is stored all the same", async () => {
  await withMeddling(
    async (moment, { collect, pass }) => {
      if (moment === "after") return;
      pass(2 * GRACE);
      await collect();
    },
    async (scene) => {
      const text = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] });
      assert.equal((await scene.send("PUT", "/v2/r/manifests/t", text)).status, 201);
      const answer = await scene.send("GET", "/v2/r/manifests/t");
      assert.deepEqual([answer.status, await answer.text()], [200, text]);
    },
  );
});

test("a mount whose bytes go at that moment becomes an upload", async () => {
  let lose = false;
  await withMeddling(
    async (moment, { blobs }) => {
      if (lose && moment === "before") await blobs.delete(digestOf("layer"));
    },
    async (scene) => {
      assert.equal((await push(scene, "layer", "post")).status, 201);
      lose = true;
      const answer = await scene.send("POST", `/v2/other/blobs/uploads/?mount=${digestOf("layer")}&from=r`);
      assert.equal(answer.status, 202);
      assert.equal(await scene.metadata.findBlob("other", digestOf("layer")), undefined);
    },
  );
});

for (const way of ["post", "put"] as const) {
  test(`bytes that a ${way} shows between the question who shows them and their deletion are spared`, async () => {
    await withMeddling(
      async () => {},
      async (scene) => {
        const ingest = await scene.blobs.ingest("other");
        await ingest.write(Buffer.from("layer"));
        await ingest.commit({ digest: digestOf("layer") });
        await scene.metadata.garbage.expectContent(digestOf("layer"));
        scene.pass(2 * GRACE);
        const { blobs, metadata, clock } = scene;
        const slow = Object.create(blobs) as MemoryBlobStore;
        // The answer is in; now somebody is faster.
        slow.find = async (digest) => {
          const info = await blobs.find(digest);
          assert.equal((await push(scene, "layer", way)).status, 201);
          return info;
        };
        slow.delete = (digest, options) => blobs.delete(digest, options);
        await collectGarbage({ blobs: slow, metadata, clock });
        assert.equal(await isThere(scene, digestOf("layer")), true);
      },
    );
  });
}
