import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { ImageListCache, listStoreImages, PinFolder } from "../../images/index.ts";
import type { ContainerState, NodeState, PodStatus } from "../../node/index.ts";
import { openStore } from "../../store/index.ts";
import { NodeMetrics } from "../metrics/node-metrics.ts";
import { run } from "../run.ts";
import { createMemoryContext } from "../testing.ts";
import { type ImageSettings, readImageSettings } from "./image-settings.ts";
import { collectNodeImages, type NodeImagesOptions } from "./node-images.ts";

/** Nothing that is shown here. */
const STATUS: PodStatus = {
  phase: "Pending",
  conditions: [],
  startTime: "2026-01-01T00:00:00Z",
  containerStatuses: [],
  qosClass: "BestEffort",
};

/** By age alone, as a test has no disk to fill. */
const AGES = {
  "image-gc-high-threshold": "100",
  "minimum-image-ttl-duration": "1ms",
  "maximum-image-ttl-duration": "2ms",
};

/**
 * Ends after a few rounds of looking and, where there are two `loops`, of collecting, and when the list was made once.
 * They wait for each other: none is to have all the rounds because it is quicker.
 */
function rounds(
  count: number,
  { loops, controller }: { readonly loops: number; readonly controller: AbortController },
): (ms: number, signal: AbortSignal) => Promise<void> {
  let round = Promise.withResolvers<void>();
  const listed = Promise.withResolvers<void>();
  let [done, resting] = [0, 0];
  return async (milliseconds, signal) => {
    if (milliseconds < 300_000) {
      listed.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    } else if (++resting < loops) {
      await round.promise;
    } else {
      resting = 0;
      await listed.promise;
      if (++done === count) controller.abort();
      round.resolve();
      round = Promise.withResolvers();
    }
    signal.throwIfAborted();
  };
}

test("collection leaves what a Pod names, though its turn hasn't come, and what is pinned, and takes the rest", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-collect-"));
  t.after(() => rm(folder, { recursive: true }));
  const dataDir = join(folder, "data");
  const context = createMemoryContext({ cwd: folder, home: folder, now: Date.now });
  for (const name of ["waiting", "ready", "unused", "pinned"]) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "file"), name);
    assert.equal(
      await run(["build", "--data-dir", dataDir, "--tag", `r.example/${name}:latest`, name], context),
      0,
    );
  }
  await new PinFolder(dataDir).add("r.example/pinned", 0);
  await using store = await openStore(dataDir);
  const settings: ImageSettings = await readImageSettings(AGES, context);
  assert.equal(settings.collects, true);
  const containers = ["r.example/waiting", "r.example/ready:latest", "Not A Name"].map(
    (image): ContainerState => ({ role: "container", name: "c", image, policy: "Never", phase: "waiting" }),
  );
  const state: NodeState = {
    pods: [
      { namespace: "default", name: "p", uid: "u", file: "a.yaml", containers, events: [], status: STATUS },
    ],
    events: [],
    problems: [],
  };
  const controller = new AbortController();
  const warnings: string[] = [];
  let time = 0;
  const options: Partial<NodeImagesOptions> = {
    store,
    dataDir,
    settings,
    metrics: new NodeMetrics(),
    now: () => (time += 1000),
    onWarning: (message) => warnings.push(message),
  };
  await collectNodeImages(options as NodeImagesOptions, {
    listed: new ImageListCache({ list: async () => [] }),
    records: undefined,
    onEvent: () => {},
    state: () => state,
    signal: controller.signal,
    // A few rounds: an image has to be seen before it can be too old.
    wait: rounds(3, { loops: 2, controller }),
  }).catch((error: unknown) => {
    if (!controller.signal.aborted) throw error;
  });
  assert.deepEqual(
    [...store.names.list()].map(({ name }) => name),
    ["r.example/pinned:latest", "r.example/ready:latest", "r.example/waiting:latest"],
    warnings.join("\n"),
  );
});

test("images are listed where none are to be collected, and a failure is the node's event from the second one on", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-collect-"));
  t.after(() => rm(folder, { recursive: true }));
  const dataDir = join(folder, "data");
  const context = createMemoryContext({ cwd: folder, home: folder, now: Date.now });
  await writeFile(join(folder, "file"), "content");
  const build = ["build", "--data-dir", dataDir, "--tag", "r.example/a:1", "--tag", "r.example/b:2", "."];
  assert.equal(await run(build, context), 0);
  await using store = await openStore(dataDir);
  const state: NodeState = { pods: [], events: [], problems: [] };
  const collect = async (
    flags: Partial<typeof AGES>,
    dataFolder: string,
    loops: number,
  ): Promise<[string[], ImageListCache]> => {
    const controller = new AbortController();
    const events: string[] = [];
    const listed = new ImageListCache({
      list: () => listStoreImages(store, { platform: { os: "linux", architecture: "amd64" } }),
    });
    await collectNodeImages(
      {
        store,
        dataDir: dataFolder,
        settings: await readImageSettings(flags, context),
        metrics: new NodeMetrics(),
        now: Date.now,
        onWarning: () => {},
      } as Partial<NodeImagesOptions> as NodeImagesOptions,
      {
        listed,
        records: undefined,
        onEvent: ({ reason }) => events.push(reason),
        state: () => state,
        signal: controller.signal,
        wait: rounds(4, { loops, controller }),
      },
    ).catch((error: unknown) => {
      if (!controller.signal.aborted) throw error;
    });
    return [events, listed];
  };
  const [quiet, listed] = await collect({}, dataDir, 1);
  assert.deepEqual(quiet, []);
  assert.deepEqual(
    listed.images.map(({ repoTags }) => repoTags.toSorted()),
    [["r.example/a:1", "r.example/b:2"]],
  );
  // Its disk can't be asked.
  const [events] = await collect({ "image-gc-high-threshold": "85" }, join(folder, "gone"), 2);
  assert.ok(events.length > 0);
  assert.deepEqual(new Set(events), new Set(["ImageGCFailed"]));
});
