import assert from "node:assert/strict";
import { test } from "node:test";

import { chooseTag, type TagRule } from "./choose-tag.ts";

const TAGS = [
  "1.27.1",
  "1.27.10",
  "1.27.9",
  "1.28.0",
  "2.0.0",
  "2.0.1-rc.1",
  "1.27.12-alpine",
  "v1.27.30",
  "1.29",
  "latest",
];

const CASES: readonly (readonly [present: string, rule: TagRule, expected: string])[] = [
  ["1.27.1", "digest", "1.27.1"],
  ["1.27.1", "patch", "1.27.10"],
  ["1.27.1", "minor", "1.28.0"],
  ["1.27.1", "major", "2.0.0"],
  ["1.27.11", "patch", "1.27.11"],
  ["1.27.3-alpine", "major", "1.27.12-alpine"],
  ["v1.27.1", "patch", "v1.27.30"],
  ["1.27", "minor", "1.29"],
  ["1.27", "patch", "1.27"],
  ["2.0.0", "major", "2.0.0"],
  ["latest", "major", "latest"],
  ["stable-20260101", "major", "stable-20260101"],
];

for (const [present, rule, expected] of CASES) {
  test(`chooseTag() lets ${present} become ${expected} by the rule ${rule}`, () => {
    assert.equal(chooseTag(present, TAGS, rule), expected);
    assert.equal(chooseTag(present, TAGS.toReversed(), rule), expected);
  });
}
