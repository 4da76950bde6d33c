import assert from "node:assert/strict";
import { test } from "node:test";

import { type Arrival, Arrivals } from "./arrivals.ts";

test("whoever waits for a content is told when its write begins, and what is there", async () => {
  const arrivals = new Arrivals();
  const { promise: never } = Promise.withResolvers<void>();
  const { promise: written, resolve: end } = Promise.withResolvers<void>();
  const waiting = arrivals.next("sha256:a", never);
  const writing = arrivals.track("sha256:a", async (grow) => {
    grow(3);
    grow(7);
    await written;
    return "written";
  });
  const arrival = (await waiting) as Arrival;
  const seen: number[] = [];
  using _watch = arrival.watch((bytes) => seen.push(bytes));
  arrival.grow(9);
  assert.deepEqual(seen, [7, 9]);
  assert.equal(await arrivals.next("sha256:a", never), arrival);
  end();
  assert.equal(await writing, "written");
  await arrival.whole;
  assert.equal(arrival.failed, false);
});

test("nobody waits for a write that doesn't begin, because the content is here or another's", async () => {
  const arrivals = new Arrivals();
  await arrivals.track("sha256:a", async () => "exists");
  await arrivals.track("sha256:b", async (grow) => grow(1));
  assert.equal(await arrivals.next("sha256:a", Promise.resolve()), undefined);
  assert.equal(await arrivals.next("sha256:b", Promise.resolve()), undefined);
  await assert.rejects(arrivals.next("sha256:a", Promise.reject(new Error("refused"))), /refused/);
});

test("a write that fails says so to who reads what it wrote", async () => {
  const arrivals = new Arrivals();
  const { promise: never } = Promise.withResolvers<void>();
  const waiting = arrivals.next("sha256:a", never);
  const writing = arrivals.track("sha256:a", async (grow) => {
    grow(1);
    await waiting;
    throw new Error("cut");
  });
  const arrival = (await waiting) as Arrival;
  await assert.rejects(writing, /cut/);
  await assert.rejects(arrival.whole, /cut/);
  assert.equal(arrival.failed, true);
});
