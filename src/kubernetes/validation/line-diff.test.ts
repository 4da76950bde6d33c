import assert from "node:assert/strict";
import { test } from "node:test";

import { unifiedDiff } from "./line-diff.ts";

test("unifiedDiff() is empty where nothing differs", () => {
  assert.equal(unifiedDiff("a\nb", "a\nb"), "");
});

test("unifiedDiff() shows three lines around a change, and counts lines from one", () => {
  const lines = "abcdefghij".split("").join("\n");
  assert.equal(
    unifiedDiff(lines, lines.replace("e", "E")),
    "@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n",
  );
  assert.equal(unifiedDiff("a", "b"), "@@ -1 +1 @@\n-a\n+b\n");
});

test("changes far apart are hunks of their own, near ones share one", () => {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`);
  const changed = (...at: readonly number[]): string =>
    lines.map((line, index) => (at.includes(index) ? "changed" : line)).join("\n");
  const headers = (diff: string): readonly string[] => diff.match(/^@@.*@@$/gm) ?? [];
  assert.deepEqual(headers(unifiedDiff(lines.join("\n"), changed(3, 20))), [
    "@@ -1,7 +1,7 @@",
    "@@ -18,7 +18,7 @@",
  ]);
  assert.deepEqual(headers(unifiedDiff(lines.join("\n"), changed(10, 17))), ["@@ -8,14 +8,14 @@"]);
});

test("a line that is everywhere in a long text begins no run of its own", () => {
  // Of 200 lines on, closing braces would otherwise be matched with closing braces of quite other things.
  const many = Array.from({ length: 100 }, (_, index) => `name ${index}\n}`);
  const before = many.join("\n");
  const after = many.toSpliced(50, 1, "other\nlines\n}").join("\n");
  assert.equal(
    unifiedDiff(before, after),
    "@@ -98,7 +98,8 @@\n }\n name 49\n }\n-name 50\n+other\n+lines\n }\n name 51\n }\n",
  );
});

test("added and removed lines alone have the place before them", () => {
  assert.equal(unifiedDiff("a\nb", "a\nx\nb"), "@@ -1,2 +1,3 @@\n a\n+x\n b\n");
  assert.equal(unifiedDiff("a\nx\nb", "a\nb"), "@@ -1,3 +1,2 @@\n a\n-x\n b\n");
});
