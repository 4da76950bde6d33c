import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { compileIgnore, parseIgnoreFile } from "./ignore.ts";

test("parseIgnoreFile() drops comments, blank lines and a byte order mark", () => {
  assert.deepEqual(parseIgnoreFile("\uFEFF# a\n\n  b  \r\n#c\n!d\n"), ["b", "!d"]);
});

test("compileIgnore() matches as Docker does", () => {
  const cases: readonly (readonly [readonly string[], readonly string[], readonly string[]])[] = [
    [["a"], ["a", "a/b", "a/b/c"], ["b", "b/a", "ab"]],
    [["/a/"], ["a", "a/b"], ["b/a"]],
    [["*.log"], ["x.log", ".log"], ["d/x.log", "x.logs"]],
    [["**/*.log"], ["x.log", "d/x.log", "d/e/x.log"], ["x.txt"]],
    [["a/**"], ["a/b", "a/b/c"], ["a", "b"]],
    [["a/**/z"], ["a/z", "a/b/z", "a/b/c/z"], ["z", "b/a/z"]],
    [["**"], ["a", "a/b"], []],
    [["a?c"], ["abc", "aüc"], ["ac", "a/c"]],
    [
      ["[a-c]x", "[^a-c]y"],
      ["ax", "cx", "dy"],
      ["dx", "ay"],
    ],
    [["a\\*b"], ["a*b"], ["axb"]],
    [["a.b"], ["a.b"], ["axb"]],
    [
      ["*", "!keep"],
      ["other", "d/keep"],
      ["keep", "keep/x"],
    ],
    [
      ["a", "!a/b", "a/b/c"],
      ["a", "a/x", "a/b/c"],
      ["a/b", "a/b/d"],
    ],
    [["./a/../b"], ["b"], ["a"]],
    [["."], [], ["a"]],
  ];
  for (const [patterns, excluded, kept] of cases) {
    const rules = compileIgnore(patterns);
    for (const path of excluded) assert.ok(rules.excludes(path), `${patterns.join(" ")} excludes ${path}`);
    for (const path of kept) assert.ok(!rules.excludes(path), `${patterns.join(" ")} keeps ${path}`);
  }
});

test("compileIgnore() refuses malformed patterns, and fails in no other way", () => {
  for (const pattern of ["[", "[]", "[a", "a\\", "[b-a]", "!"]) {
    assert.throws(() => compileIgnore([pattern]), { code: "CONFIG_INVALID" }, pattern);
  }
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(..."ab/*?[]^-!\\.ü ".split("")), maxLength: 20 }),
      (pattern) => {
        try {
          compileIgnore([pattern]).excludes("a/b/ab");
        } catch (error) {
          assert.equal((error as { code?: string }).code, "CONFIG_INVALID");
        }
      },
    ),
    { numRuns: 1000 },
  );
});
