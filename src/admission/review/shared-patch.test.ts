import assert from "node:assert/strict";
import { test } from "node:test";

import type { Json } from "../../kubernetes/index.ts";
import { applyJsonPatch } from "../../kubernetes/patch/json-patch.ts";
import { createSharedPatch } from "./shared-patch.ts";

const SHARED = { deep: [1, { a: "b" }] };

const CASES: readonly (readonly [why: string, before: Json, after: Json, operations: number])[] = [
  ["nothing", { a: SHARED }, { a: SHARED }, 0],
  ["a member", { a: SHARED, b: 1 }, { a: SHARED, b: 2 }, 1],
  ["members that come and go", { a: 1, b: SHARED }, { b: SHARED, c: null }, 2],
  ["names that need escaping", { "a/b": { "~": 1 } }, { "a/b": { "~": 2 }, "c~/": 1 }, 2],
  ["an item", { l: [SHARED, { i: 1 }, 3] }, { l: [SHARED, { i: 2 }, 3] }, 1],
  ["items that come", { l: [1, SHARED] }, { l: [0, 1, SHARED, 2] }, 2],
  ["items that go", { l: [1, SHARED, 2] }, { l: [SHARED] }, 2],
  ["another type", { a: { b: 1 } }, { a: [1] }, 1],
  ["members that are no own ones", { a: 1 }, { a: 1, constructor: 2 }, 1],
  ["the whole", 1, 2, 1],
];

for (const [why, before, after, count] of CASES) {
  test(`a patch for ${why} makes the one of the other`, () => {
    const operations = createSharedPatch(before, after);
    assert.equal(operations.length, count, JSON.stringify(operations));
    assert.deepEqual(applyJsonPatch(before, operations as Json), after);
  });
}
