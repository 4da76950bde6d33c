import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { InvalidReferenceError } from "./errors.ts";
import { familiarMatch } from "./familiar-match.ts";
import { parseReference } from "./parse.ts";

const cases: readonly (readonly [pattern: string, name: string, matches: boolean])[] = [
  ["*", "ubuntu", true],
  ["*", "me/app", false],
  ["*/*", "me/app", true],
  ["*/app:*", "me/app:1", true],
  ["*/app", "me/app:1", true],
  ["ub?ntu", "ubuntu", true],
  ["me?app", "me/app", false],
  ["[^a-m]buntu", "ubuntu", true],
  ["[a-m]buntu", "ubuntu", false],
  ["[\\u-v]buntu", "ubuntu", true],
  ["ubunt[t-v]", "ubuntu", true],
  ["ubuntu:2[2-4].04", "ubuntu:24.04", true],
  ["\\ubuntu", "ubuntu", true],
  ["*u*u", "ubuntu", true],
  ["*b*n", "ubuntu", false],
  ["", "ubuntu", false],
];

test("familiarMatch() matches the familiar form, with its tag or without", () => {
  for (const [pattern, name, expected] of cases) {
    assert.equal(familiarMatch(pattern, parseReference(name)), expected, `${pattern} on ${name}`);
  }
});

test("familiarMatch() refuses malformed patterns, wherever the mistake stands", () => {
  for (const pattern of [
    "[",
    "[]",
    "[]a]",
    "[-x]",
    "[x-]",
    "[a",
    "[a-",
    "[^]",
    "a\\",
    "[\\",
    "zzz*[",
    "*[-]",
  ]) {
    assert.throws(() => familiarMatch(pattern, parseReference("a")), { code: "BAD_PATTERN" }, pattern);
  }
});

test("familiarMatch() agrees with the same pattern as a regular expression", () => {
  const piece = fc.constantFrom("a", "b", "/", "*", "?", "[ab]", "[^a/]", ".", "-");
  const name = fc.stringMatching(/^[ab]{1,3}([/.-][ab]{1,3}){0,3}$/);
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), name, (pieces, text) => {
      const translated = pieces.map((each) => TRANSLATIONS.get(each) ?? each);
      const expected = new RegExp(`^(?:${translated.join("")})$`, "s").test(text);
      assert.equal(familiarMatch(pieces.join(""), parseReference(`docker.io/${text}`)), expected);
    }),
    { numRuns: 3000 },
  );
});

const TRANSLATIONS = new Map([
  ["*", "[^/]*"],
  ["?", "[^/]"],
  [".", "\\."],
]);

test("familiarMatch() never looks back, not even where a class took a slash", () => {
  assert.equal(familiarMatch("*[^a]*", parseReference("docker.io/ba/a")), false);
});

test("familiarMatch() throws nothing but its own error", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."a * ? [ ] ^ - \\ / é".split(" ")) }), (pattern) => {
      try {
        familiarMatch(pattern, parseReference("a/b:c"));
      } catch (error) {
        assert.ok(error instanceof InvalidReferenceError);
      }
    }),
  );
});
