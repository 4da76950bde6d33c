import assert from "node:assert/strict";
import { test } from "node:test";

import { runCollection } from "./collection-loop.ts";
import { ImageCollector, type NodeEvent } from "./image-collector.ts";

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
