import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { parseYaml } from "./yaml-node.ts";

describe("a broken YAML document", () => {
  // From libyaml, which Kubernetes' parser is a translation of, and how that one counts lines.
  const table: Readonly<Record<string, string>> = {
    "a: b: c": "mapping values are not allowed in this context",
    "x:\n  a: b: c\n": "line 2: mapping values are not allowed in this context",
    "kind: Pod\n spec: x\n": "line 2: mapping values are not allowed in this context",
    "a: x\n   yy\n   b: 2\n": "line 3: mapping values are not allowed in this context",
    "kind: Pod\nspec:\n  containers:\n  - name: c\n      image: x\n":
      "line 5: mapping values are not allowed in this context",
    "kind: Pod\nspec:\n  containers:\n  - name: c\n   image: x\n": "line 2: did not find expected key",
    "a:\n  b: 1\n c: 2\n": "line 2: did not find expected key",
    "a: 1\n- b\n": "line 1: did not find expected key",
    "a:\n\t- b\n": "line 2: found character that cannot start any token",
    "z: 1\na: @x\n": "line 2: found character that cannot start any token",
    "z: 1\na: %x\n": "line 2: found character that cannot start any token",
    "z: 1\na: [1, 2\nb: 3\n": "line 1: did not find expected ',' or ']'",
    "z: 1\na: {b: 1\nc: 2\n": "line 1: did not find expected ',' or '}'",
    "{a: 1": "line 1: did not find expected ',' or '}'",
    'z: "[" # {\na: ["x", 1\n': "line 1: did not find expected ',' or ']'",
    'z: 1\na: "x\nb: 1\n': "line 2: found unexpected end of stream",
    "z: 'it''s'\na: 'x\nb: 1\n": "line 2: found unexpected end of stream",
    'z: 1\na: "\\q"\n': "line 2: found unknown escape character",
    "a: 1\nb\nc: 2\n": "line 2: could not find expected ':'",
    "a: [": "line 1: did not find expected node content",
    "a: [1,\n": "line 1: did not find expected node content",
    "z: 1\na: {b:\n": "line 2: did not find expected node content",
    "z: 1\na: ]\n": "line 1: did not find expected node content",
  };
  for (const [text, message] of Object.entries(table)) {
    it(`is told as Kubernetes tells it: ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseYaml(text), { message: `yaml: ${message}` });
    });
  }
});
