/** Two processes want the same layer into the same store: whoever waits says so, and how far the other one is. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext, type MemoryContext } from "../../src/cli/testing.ts";
import type { Digest } from "../../src/oci/index.ts";
import { type Ingest, openStore } from "../../src/store/index.ts";
import { bytesOf } from "./cri-registry.ts";
import { type CriWorld, openCriWorld } from "./cri-world.ts";

const LIMIT = { timeout: 60_000 };
const LAYER = bytesOf(400_000, 7);

interface Elsewhere extends AsyncDisposable {
  readonly digest: Digest;
  readonly ingest: Ingest;
}

/** As another process holds it, with its first bytes. */
async function fetchElsewhere(world: CriWorld, bytes: number): Promise<Elsewhere> {
  await using opening = new AsyncDisposableStack();
  const store = opening.use(await openStore(world.dataDir));
  const [layer] = world.registry.put("app:1", { layers: [LAYER] }).layers;
  const digest = layer?.digest as Digest;
  const ingest = await store.blobs.ingest(digest);
  opening.defer(() => ingest.close());
  await ingest.write(LAYER.subarray(0, bytes));
  const stack = opening.move();
  return { digest, ingest, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface ShownPull {
  readonly contents: readonly { readonly digest: string; readonly bytes: number; readonly phase: string }[];
}

/** What `dray pulls` prints, once that is right. */
async function pullsSay(
  world: CriWorld,
  words: readonly string[],
  isRight: (text: string) => boolean,
): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const context = createMemoryContext({ now: Date.now, columns: 120 });
    assert.equal(await run(["pulls", ...words, "--socket", world.socket], context), 0);
    if (isRight(context.stdout.text)) return;
    if (performance.now() > deadline) assert.fail(`still: ${context.stdout.text}`);
  }
}

/** Until another process has so much of the layer. */
async function layerReaches(world: CriWorld, digest: string, bytes: number): Promise<void> {
  await pullsSay(world, ["--json"], (text) => {
    if (text === "") return false;
    const { contents } = JSON.parse(text) as ShownPull;
    const layer = contents.find((content) => content.digest === digest);
    return layer?.phase === "awaited" && layer.bytes === bytes;
  });
}

test(
  "a pull that waits for another process says so, and how far that is, and goes on there",
  LIMIT,
  async () => {
    await using world = await openCriWorld();
    const { client, registry } = world;
    await using elsewhere = await fetchElsewhere(world, 100_000);
    const { digest, ingest } = elsewhere;
    const pulling = client.images.pullImage({ image: { image: `${registry.host}/app:1` } });
    pulling.catch(() => {});
    await layerReaches(world, digest, 100_000);
    await pullsSay(world, [], (text) => /\/app:1 +awaiting +100 kB of 401 kB/.test(text));
    await ingest.write(LAYER.subarray(100_000, 250_000));
    await layerReaches(world, digest, 250_000);
    assert.equal(registry.fetched("blobs").includes(digest), false);
    await elsewhere[Symbol.asyncDispose]();
    await pulling;
    assert.equal(registry.asked.find(({ path }) => path.endsWith(digest))?.from, 250_000);
  },
);

for (const isTTY of [false, true]) {
  test(
    `dray pull says that it waits ${isTTY ? "in the layer's line" : "where nothing is drawn"}`,
    LIMIT,
    async () => {
      await using world = await openCriWorld();
      await using elsewhere = await fetchElsewhere(world, 100_000);
      const said = Promise.withResolvers<void>();
      const hex = elsewhere.digest.slice("sha256:".length, "sha256:".length + 12);
      const expected = isTTY
        ? new RegExp(`layer +${hex} .*100 kB / 400 kB +another process fetches it`)
        : new RegExp(`^Waiting for layer ${hex}, which another process fetches$`, "gm");
      const context: MemoryContext = createMemoryContext({
        now: Date.now,
        isTTY,
        columns: 120,
        env: { NO_COLOR: "1", TERM: "xterm" },
        onWrite: () => {
          if (context.stderr.text.search(expected) >= 0) said.resolve();
        },
      });
      const words = ["pull", "--data-dir", world.dataDir, `${world.registry.host}/app:1`];
      const pulled = run(words, context);
      await Promise.race([said.promise, pulled.then(() => said.reject(new Error(context.stderr.text)))]);
      await elsewhere[Symbol.asyncDispose]();
      assert.equal(await pulled, 0, context.stderr.text);
      if (!isTTY) assert.equal(context.stderr.text.match(expected)?.length, 1, "once");
    },
  );
}
