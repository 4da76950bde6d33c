import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import type { Json, JsonObject } from "../objects/object.ts";
import { StatusError } from "../objects/status.ts";
import { applyMergePatch } from "./merge-patch.ts";

test("applyMergePatch() gives the results of RFC 7386's table", () => {
  const cases: [document: JsonObject, patch: JsonObject, expected: Json][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [document, patch, expected] of cases) {
    assert.deepEqual(applyMergePatch(document, patch), expected, JSON.stringify(patch));
  }
});

test("applyMergePatch() refuses what is no object", () => {
  for (const patch of [[], "x", 1, null]) {
    assert.throws(
      () => applyMergePatch({}, patch),
      (error) => {
        assert.ok(error instanceof StatusError);
        assert.deepEqual([error.status.code, error.message], [400, "Invalid JSON Patch"]);
        return true;
      },
    );
  }
});

test("applyMergePatch() takes names of prototypes for names", () => {
  const patch = JSON.parse('{"__proto__":{"polluted":true},"a":{"__proto__":{"b":1}}}') as JsonObject;
  const merged = applyMergePatch({ a: {} }, patch);
  assert.equal(JSON.stringify(merged), '{"a":{"__proto__":{"b":1}},"__proto__":{"polluted":true}}');
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

test("applyMergePatch() is idempotent, and does nothing for an empty patch", () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })) as fc.Arbitrary<JsonObject>;
  fc.assert(
    fc.property(object, object, (document, patch) => {
      const once = applyMergePatch(document, patch);
      assert.deepEqual(applyMergePatch(once, patch), once);
      assert.deepEqual(applyMergePatch(document, {}), { ...document });
    }),
  );
});
