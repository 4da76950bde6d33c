import assert from "node:assert/strict";
import { test } from "node:test";

import { fnv1, StripedLocks } from "./striped-locks.ts";

test("fnv1() is FNV-1 of 32 bits", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["", 0x811c9dc5],
    ["a", 0x050c5d7e],
    ["foobar", 0x31f0b262],
  ];
  for (const [text, hash] of cases) assert.equal(fnv1(text), hash);
});

test("a key's stripe is held by one at a time, and a failure lets go of it", async () => {
  const locks = new StripedLocks(4);
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
    throw new Error("done");
  };
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => locks.run("key", work)));
  assert.equal(most, 1);
  assert.ok(results.every(({ status }) => status === "rejected"));
});

test("runAll() waits for every stripe, and two of them don't hold one another up", async () => {
  const locks = new StripedLocks(31);
  const log: string[] = [];
  const keys = Array.from({ length: 40 }, (_, i) => `key-${i}`);
  const one = keys.map((key) => locks.run(key, async () => void log.push("one")));
  const all = [1, 2].map(() =>
    locks.runAll(async () => {
      log.push("all");
      await new Promise(setImmediate);
      log.push("end");
    }),
  );
  await Promise.all([...one, ...all]);
  assert.deepEqual(log.slice(40), ["all", "end", "all", "end"]);
});
