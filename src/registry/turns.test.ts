import assert from "node:assert/strict";
import { test } from "node:test";

import { Turns } from "./turns.ts";

test("turns of one key come one after the other, in the order they were asked for", async () => {
  const turns = new Turns();
  const first = await turns.take("a", 1_000);
  const order: number[] = [];
  const later = [1, 2].map(async (number) => {
    using _turn = await turns.take("a", 1_000);
    order.push(number);
  });
  const elsewhere = await turns.take("b", 0);
  assert.notEqual(elsewhere, undefined, "another key does not wait");
  assert.deepEqual(order, []);
  first?.[Symbol.dispose]();
  await Promise.all(later);
  assert.deepEqual(order, [1, 2]);
  assert.notEqual(await turns.take("a", 0), undefined, "free again");
});

test("who is out of patience goes without, and does not hold up those behind", async () => {
  const turns = new Turns();
  const first = await turns.take("a", 1_000);
  assert.equal(await turns.take("a", 1), undefined);
  const next = turns.take("a", 1_000);
  first?.[Symbol.dispose]();
  assert.notEqual(await next, undefined);
});
