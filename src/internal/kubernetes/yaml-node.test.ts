import assert from "node:assert/strict";
import { describe, test } from "node:test";

import fc from "fast-check";

import type { JsonNode } from "../go/json-parse.ts";
import { parseYaml } from "./yaml-node.ts";

function plain(node: JsonNode): unknown {
  switch (node.kind) {
    case "null":
      return null;
    case "number":
      return Number(node.text);
    case "array":
      return node.items.map((item) => plain(item));
    case "object":
      return Object.fromEntries(node.members.map(([name, value]) => [name, plain(value)]));
    case "bool":
    case "string":
      return node.value;
  }
}

describe("parseYaml()", () => {
  for (const [text, value] of [
    ["", null],
    ["# nothing", null],
    ["~", null],
    ["[yes, On, n, FALSE, true]", [true, true, false, false, true]],
    ["['yes', \"1\", !!str 5]", ["yes", "1", "5"]],
    ["a: |-\n  yes\nb: >\n  1", { a: "yes", b: "1\n" }],
    ["[0x10, 010, 0o10, 0b11, 1_000, -5, +5]", [16, 8, 8, 3, 1000, -5, 5]],
    ["[1.5, 1e3, .5, 1.]", [1.5, 1000, 0.5, 1]],
    ["[1.2.3, 2001-01-01, 1:20, 10m, 08, x]", ["1.2.3", "2001-01-01", "1:20", "10m", 8, "x"]],
    ["{1: a, true: b, x: }", { "1": "a", true: "b", x: null }],
    ["b: 1\na: 2", { a: 2, b: 1 }],
    ["a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}", { a: { k: 1, l: 2 }, b: { k: 3, l: 2 } }],
    ["b: {<<: [{k: 1}, {k: 2, l: 2}]}", { b: { k: 1, l: 2 } }],
    ["a: &x 1\nb: &x 2\nc: *x", { a: 1, b: 2, c: 2 }],
    ["a: 1\n---\nb: 2", { a: 1 }],
  ] as const) {
    test(`reads ${JSON.stringify(text)}`, () => {
      const { node, strictError } = parseYaml(text);
      assert.deepEqual(plain(node), value);
      assert.equal(strictError, undefined);
    });
  }

  test("reads JSON as JSON", () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: true }), (text) => {
        assert.deepEqual(plain(parseYaml(text).node), JSON.parse(text));
      }),
    );
  });

  test("lets later duplicates win, and names each with its line", () => {
    const { node, strictError } = parseYaml("a: 1\nb:\n  c: 1\n  c: 2\na:\n  x: 1\n1: x\n1: z");
    assert.deepEqual(plain(node), { a: { x: 1 }, b: { c: 2 }, "1": "z" });
    assert.equal(
      strictError,
      'yaml: unmarshal errors:\n  line 4: key "c" already set in map\n  line 6: key "a" already set in map\n  line 8: key 1 already set in map',
    );
  });

  for (const [text, message] of [
    ["a: *b", "yaml: unknown anchor 'b' referenced"],
    ["a: &a [*a]", "yaml: anchor 'a' value contains itself"],
    ["a: {<<: 1}", "yaml: map merge requires map or sequence of maps as the value"],
    ["? [x]\n: 1", "yaml: unsupported map key"],
    ["a: [", "yaml: line 1: did not find expected node content"],
    ["[".repeat(20_000), /^yaml: line 1: /],
  ] as const) {
    test(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
      assert.throws(() => parseYaml(text), { message });
    });
  }
});
