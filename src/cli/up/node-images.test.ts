import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import type { ContainerState, NodeState } from "../../node/index.ts";
import { openStore } from "../../store/index.ts";
import { NodeMetrics } from "../metrics/node-metrics.ts";
import { run } from "../run.ts";
import { createMemoryContext } from "../testing.ts";
import { type ImageSettings, readImageSettings } from "./image-settings.ts";
import { collectNodeImages, type NodeImagesOptions } from "./node-images.ts";

/** By age alone, as a test has no disk to fill. */
const AGES = {
  "image-gc-high-threshold": "100",
  "minimum-image-ttl-duration": "1ms",
  "maximum-image-ttl-duration": "2ms",
};

test("collection leaves what a Pod names, though its turn hasn't come, and takes the rest", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-collect-"));
  t.after(() => rm(folder, { recursive: true }));
  const dataDir = join(folder, "data");
  const context = createMemoryContext({ cwd: folder, home: folder, now: Date.now });
  for (const name of ["waiting", "ready", "unused"]) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "file"), name);
    assert.equal(
      await run(["build", "--data-dir", dataDir, "--tag", `r.example/${name}:latest`, name], context),
      0,
    );
  }
  await using store = await openStore(dataDir);
  const settings: ImageSettings = await readImageSettings(AGES, context);
  assert.equal(settings.collects, true);
  const containers = ["r.example/waiting", "r.example/ready:latest", "Not A Name"].map(
    (image): ContainerState => ({ role: "container", name: "c", image, policy: "Never", phase: "waiting" }),
  );
  const state: NodeState = {
    pods: [{ namespace: "default", name: "p", uid: "u", file: "a.yaml", containers, events: [] }],
    problems: [],
  };
  const controller = new AbortController();
  const warnings: string[] = [];
  let rests = 0;
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
    state: () => state,
    signal: controller.signal,
    // A few rounds: an image has to be seen before it can be too old.
    wait: async () => {
      if (++rests === 6) controller.abort();
      controller.signal.throwIfAborted();
    },
  }).catch((error: unknown) => {
    if (!controller.signal.aborted) throw error;
  });
  assert.deepEqual(
    [...store.names.list()].map(({ name }) => name),
    ["r.example/ready:latest", "r.example/waiting:latest"],
    warnings.join("\n"),
  );
});
