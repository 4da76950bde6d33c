import assert from "node:assert/strict";
import { test } from "node:test";

import { runCollection } from "./collection-loop.ts";
import type { ServiceImage } from "../image-service.ts";
import { ImageCollector, type NodeEvent } from "./image-collector.ts";
import { ImageListCache } from "./image-list-cache.ts";

test("the node hears of collections that fail twice in a row, and of none that fail once", async () => {
  const outcomes = ["fail", "work", "fail", "fail", "fail", "work"];
  const events: NodeEvent[] = [];
  const failures: string[] = [];
  const controller = new AbortController();
  const periods = new Set<number>();
  let rounds = 0;
  const collector = new ImageCollector({
    images: {
      list: () => Promise.resolve([]),
      remove: () => Promise.resolve(),
      fileSystem: async () => {
        const outcome = outcomes[rounds++];
        if (outcome === undefined) controller.abort();
        if (outcome === "fail") throw new Error("no answer");
        return { capacityBytes: 100, availableBytes: 100 };
      },
    },
    listUsed: () => Promise.resolve([]),
    policy: { highThresholdPercent: 85, lowThresholdPercent: 80, minAge: 0, maxAge: 0 },
    now: () => 0,
  });
  await runCollection(collector, {
    signal: controller.signal,
    now: () => 0,
    wait: async (milliseconds) => void periods.add(milliseconds),
    onEvent: (event) => void events.push(event),
    onFailure: (message) => void failures.push(message),
  });
  const event = { type: "Warning", reason: "ImageGCFailed", message: "no answer" };
  assert.deepEqual(events, [event, event]);
  assert.equal(failures.length, 4);
  assert.deepEqual([...periods], [300_000]);
});

test("with a threshold of 100 and no maximum age there is nothing to collect, only to look at", async () => {
  const controller = new AbortController();
  let looks = 0;
  const collector = new ImageCollector({
    images: {
      list: async () => {
        if (++looks === 3) controller.abort();
        return [];
      },
      remove: () => Promise.resolve(),
      fileSystem: () => assert.fail("collected"),
    },
    listUsed: () => Promise.resolve([]),
    policy: { highThresholdPercent: 100, lowThresholdPercent: 80, minAge: 0, maxAge: 0 },
    now: () => 0,
  });
  const options = { signal: controller.signal, now: () => 0, wait: () => Promise.resolve() };
  await runCollection(collector, options);
  assert.equal(looks, 3);
});

test("the cached list is the largest first, renewed every half minute, and outlives a failure to list", async () => {
  const controller = new AbortController();
  const sizes = [[1, 3, 2], undefined, [5]];
  const shown: (readonly number[])[] = [];
  const failures: string[] = [];
  let looks = 0;
  const listed = (size: number): ServiceImage => {
    const spec = { image: `${size}`, annotations: [], runtimeHandler: "" };
    return { id: `${size}`, size, pinned: false, repoTags: [], repoDigests: [], spec };
  };
  const cache = new ImageListCache({
    list: async () => {
      const now = sizes[looks++];
      if (now === undefined) throw new Error("no answer");
      return now.map(listed);
    },
  });
  const collector = new ImageCollector({
    images: { list: async () => [], remove: async () => {}, fileSystem: async () => ({}) },
    listUsed: async () => [],
    policy: { highThresholdPercent: 100, lowThresholdPercent: 80, minAge: 0, maxAge: 0 },
    now: () => 0,
  });
  await runCollection(collector, {
    signal: controller.signal,
    now: () => 0,
    cache,
    wait: async (period) => {
      if (period !== 30_000)
        return await new Promise((_, reject) => controller.signal.addEventListener("abort", reject));
      shown.push(cache.images.map(({ size }) => size));
      if (shown.length === 3) controller.abort();
    },
    onFailure: (message) => void failures.push(message),
  });
  assert.deepEqual(shown, [[3, 2, 1], [3, 2, 1], [5]]);
  assert.deepEqual(failures, ["failed to list images: no answer"]);
});
