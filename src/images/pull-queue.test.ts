import assert from "node:assert/strict";
import { test } from "node:test";

import { PullQueue } from "./pull-queue.ts";

test("a queue keeps to its limit and to the order of arrival", async () => {
  const queue = new PullQueue(2);
  const order: string[] = [];
  const gates = new Map<string, () => void>();
  const work = (name: string) => (): Promise<void> => {
    order.push(name);
    return new Promise((resolve) => gates.set(name, resolve));
  };
  const all = ["a", "b", "c", "d"].map((name) => queue.run(work(name)));
  await Promise.resolve();
  assert.deepEqual(order, ["a", "b"]);
  gates.get("b")?.();
  await all[1];
  await Promise.resolve();
  assert.deepEqual(order, ["a", "b", "c"]);
  gates.get("a")?.();
  await all[0];
  await Promise.resolve();
  assert.deepEqual(order, ["a", "b", "c", "d"]);
  gates.get("c")?.();
  gates.get("d")?.();
  await Promise.all(all);
});

test("whoever gives up leaves the queue without taking a place", async () => {
  const queue = new PullQueue(1);
  const { promise, resolve } = Promise.withResolvers<void>();
  const running = queue.run(() => promise);
  const controller = new AbortController();
  const waiting = queue.run(async () => assert.fail("should not run"), controller.signal);
  controller.abort(new Error("left"));
  await assert.rejects(waiting, /left/);
  resolve();
  await running;
  assert.equal(await queue.run(async () => "next"), "next");
});
