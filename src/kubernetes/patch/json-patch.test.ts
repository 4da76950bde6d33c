import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { StatusError } from "../objects/status.ts";
import type { Json } from "../objects/object.ts";
import { createJsonPatch } from "./create-json-patch.ts";
import { applyJsonPatch } from "./json-patch.ts";

const REJECTED = "the server rejected our request due to an error in our request";

function refusal(document: Json, patch: Json): { code: number | undefined; message: string | undefined } {
  try {
    applyJsonPatch(document, patch);
  } catch (error) {
    assert.ok(error instanceof StatusError);
    return { code: error.status.code, message: error.status.message };
  }
  assert.fail("applied");
}

test("applyJsonPatch() applies each operation", () => {
  const cases: [document: Json, operation: Json, expected: Json][] = [
    [{}, { op: "add", path: "/a", value: 1 }, { a: 1 }],
    [{ a: 1 }, { op: "add", path: "/a", value: null }, { a: null }],
    [{ a: [1, 3] }, { op: "add", path: "/a/1", value: 2 }, { a: [1, 2, 3] }],
    [{ a: [1] }, { op: "add", path: "/a/-", value: 2 }, { a: [1, 2] }],
    [{ a: [1, 2] }, { op: "add", path: "/a/-1", value: 3 }, { a: [1, 2, 3] }],
    [{ a: [1, 2] }, { op: "remove", path: "/a/-1" }, { a: [1] }],
    [{ a: [1, 2] }, { op: "remove", path: "/a/0" }, { a: [2] }],
    [{ "a/b": 1, "m~n": 2 }, { op: "remove", path: "/a~1b" }, { "m~n": 2 }],
    [
      { "a/b": 1, "m~n": 2 },
      { op: "replace", path: "/m~0n", value: 3 },
      { "a/b": 1, "m~n": 3 },
    ],
    [{ "~1": 1 }, { op: "remove", path: "/~01" }, {}],
    [{ a: 1 }, { op: "replace", path: "", value: [] }, []],
    [{ a: { b: 1 } }, { op: "move", from: "/a/b", path: "/c" }, { a: {}, c: 1 }],
    [{ a: [1, 2, 3] }, { op: "move", from: "/a/0", path: "/a/-" }, { a: [2, 3, 1] }],
    [{ a: { b: 1 } }, { op: "copy", from: "/a", path: "/c" }, { a: { b: 1 }, c: { b: 1 } }],
    [{ a: { b: [1] } }, { op: "test", path: "/a", value: { b: [1] } }, { a: { b: [1] } }],
    [{ a: 1 }, { op: "test", path: "/b", value: null }, { a: 1 }],
    [{ "": 1 }, { op: "add", path: "/", value: 2 }, { "": 2 }],
  ];
  for (const [document, operation, expected] of cases) {
    assert.deepEqual(applyJsonPatch(document, [operation]), expected, JSON.stringify(operation));
  }
});

test("applyJsonPatch() refuses what doesn't apply without saying what it was", () => {
  const document = { a: [1], o: {}, s: "text" };
  for (const operation of [
    { op: "add", path: "/none/-", value: 1 },
    { op: "add", path: "/a/2", value: 1 },
    { op: "add", path: "/a/99999999999999999999", value: 1 },
    { op: "add", path: "/a/x", value: 1 },
    { op: "add", path: "/s/x", value: 1 },
    { op: "add", path: "a", value: 1 },
    { op: "add", path: "/b" },
    { op: "remove", path: "/b" },
    { op: "remove", path: "" },
    { op: "remove", path: "/a/-" },
    { op: "remove", path: "/o/__proto__" },
    { op: "replace", path: "/b", value: 1 },
    { op: "replace", path: "/o/constructor", value: 1 },
    { op: "test", path: "/s", value: "other" },
    { op: "test", path: "/none/x", value: null },
    { op: "move", from: "/b", path: "/c" },
    { op: "move", from: "/o", path: "/o/x" },
    { op: "copy", from: "/b", path: "/c" },
    { op: "copy", path: "/c" },
    { op: "nosuch", path: "/a" },
    { path: "/a" },
    { op: "add", value: 1 },
  ]) {
    assert.deepEqual(
      refusal(document, [operation]),
      { code: 422, message: REJECTED },
      JSON.stringify(operation),
    );
  }
});

test("applyJsonPatch() tells a patch that is none from one that doesn't apply", () => {
  assert.deepEqual(refusal({}, { op: "add" }), {
    code: 400,
    message: "json: cannot unmarshal object into Go value of type jsonpatch.Patch",
  });
  assert.deepEqual(refusal({}, ["add"]), {
    code: 400,
    message: "json: cannot unmarshal string into Go value of type jsonpatch.Operation",
  });
  assert.equal(refusal({}, Array(10_001).fill({ op: "test", path: "", value: {} })).code, 413);
});

test("applyJsonPatch() leaves the document and the patch as they were", () => {
  const document = { a: { b: [1] } };
  const patch = [
    { op: "add", path: "/c", value: { d: [] } },
    { op: "add", path: "/c/d/-", value: 1 },
    { op: "copy", from: "/c", path: "/e" },
    { op: "add", path: "/e/d/-", value: 2 },
    { op: "remove", path: "/a/b/0" },
  ];
  const before = structuredClone({ document, patch });
  assert.deepEqual(applyJsonPatch(document, patch), { a: { b: [] }, c: { d: [1] }, e: { d: [1, 2] } });
  assert.deepEqual({ document, patch }, before);
});

test("applyJsonPatch() takes names of prototypes for names", () => {
  const patched = applyJsonPatch({}, [
    { op: "add", path: "/__proto__", value: { polluted: true } },
    { op: "add", path: "/__proto__/more", value: 1 },
    { op: "add", path: "/constructor", value: {} },
  ]);
  assert.equal(JSON.stringify(patched), '{"__proto__":{"polluted":true,"more":1},"constructor":{}}');
  assert.equal(Object.getPrototypeOf(patched), Object.prototype);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

test("applyJsonPatch() bounds copies of copies, and depth", () => {
  const bomb = Array.from({ length: 64 }, () => ({ op: "copy", from: "/a", path: "/a/-" }));
  assert.equal(refusal({ a: ["x".repeat(100)] }, bomb).code, 422);
  let deep: Json = [];
  for (let at = 0; at < 100_000; at++) deep = [deep];
  assert.equal(refusal({}, [{ op: "add", path: "/a", value: deep }]).code, 400);
});

test("createJsonPatch() names only what changed", () => {
  const container = { name: "c", image: "app:v1", env: [{ name: "A", value: "1" }] };
  const pod = (image: string, ...more: Json[]): Json => ({
    spec: { containers: [...more, { ...container, image }], nodeName: "n" },
  });
  assert.deepEqual(createJsonPatch(pod("app:v1"), pod("app:v1")), []);
  assert.deepEqual(createJsonPatch(pod("app:v1"), pod("app@sha256:1")), [
    { op: "replace", path: "/spec/containers/0/image", value: "app@sha256:1" },
  ]);
  assert.deepEqual(createJsonPatch(pod("app:v1"), pod("app:v1", { name: "first" })), [
    { op: "add", path: "/spec/containers/0", value: { name: "first" } },
  ]);
  assert.deepEqual(createJsonPatch([1, 2, 3, 4], [2, 3, 5]), [
    { op: "remove", path: "/0" },
    { op: "replace", path: "/2", value: 5 },
  ]);
  assert.deepEqual(createJsonPatch({ a: 1, "x/y": 2 }, { "x/y": 3, "b~": 4 }), [
    { op: "remove", path: "/a" },
    { op: "replace", path: "/x~1y", value: 3 },
    { op: "add", path: "/b~0", value: 4 },
  ]);
});

const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>;

/** Two documents alike in most of their parts, as objects before and after admission are. */
const related = fc
  .tuple(
    fc.array(json, { maxLength: 5 }),
    fc.array(fc.nat(9), { maxLength: 8 }),
    fc.array(fc.nat(9), { maxLength: 8 }),
  )
  .map(([parts, before, after]): [Json, Json] => {
    const pick = (places: number[]): Json => places.map((place) => parts[place % 5] ?? place);
    return [
      { list: pick(before), [`k${before.length}`]: parts },
      { list: pick(after), [`k${after.length}`]: parts },
    ];
  });

test("applyJsonPatch() of createJsonPatch() yields what was asked for", () => {
  const holds = (before: Json, after: Json): void => {
    // Through JSON, as a webhook's answer goes.
    const patch = JSON.parse(JSON.stringify(createJsonPatch(before, after))) as Json;
    assert.equal(JSON.stringify(sorted(applyJsonPatch(before, patch))), JSON.stringify(sorted(after)));
  };
  fc.assert(fc.property(json, json, holds), { numRuns: 300 });
  fc.assert(
    fc.property(related, ([before, after]) => holds(before, after)),
    { numRuns: 300 },
  );
});

test("createJsonPatch() never needs more operations than items that went or came", () => {
  const numbers = fc.array(fc.nat(5), { maxLength: 12 });
  fc.assert(
    fc.property(numbers, numbers, (before, after) => {
      const patch = createJsonPatch(before, after);
      assert.ok(patch.length <= Math.max(before.length, after.length));
      if (JSON.stringify(before) === JSON.stringify(after)) assert.equal(patch.length, 0);
    }),
  );
});

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map((item: Json) => sorted(item));
  if (typeof value !== "object" || value === null) return value === 0 ? 0 : value;
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member ?? null)]));
}
