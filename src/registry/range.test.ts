import assert from "node:assert/strict";
import { test } from "node:test";

import { formatReceived, parseContentRange, parseRange } from "./range.ts";

test("parseRange() clips, counts from the end, and refuses what lies outside", () => {
  const cases: [string, number, ReturnType<typeof parseRange>][] = [
    ["bytes=500-1499", 2048, { first: 500, last: 1499 }],
    ["bytes=500-", 2048, { first: 500, last: 2047 }],
    ["bytes=-500", 2048, { first: 1548, last: 2047 }],
    ["bytes=2000-5000", 2048, { first: 2000, last: 2047 }],
    ["bytes=-5000", 2048, { first: 0, last: 2047 }],
    ["Bytes=0-0", 1, { first: 0, last: 0 }],
    ["bytes=500-0", 2048, "unsatisfiable"],
    ["bytes=5000-10000", 2048, "unsatisfiable"],
    ["bytes=2048-", 2048, "unsatisfiable"],
    ["bytes=0-", 0, "unsatisfiable"],
    ["bytes=-0", 10, "unsatisfiable"],
    ["bytes=-5", 0, "unsatisfiable"],
    ["bytes=0-1,4-5", 10, undefined],
    ["bytes=-", 10, undefined],
    ["lines=0-1", 10, undefined],
    ["nonsense", 10, undefined],
    ["bytes=0-99999999999999999999999", 10, { first: 0, last: 9 }],
  ];
  for (const [header, size, expected] of cases) assert.deepEqual(parseRange(header, size), expected, header);
});

test("parseContentRange() takes the protocol's form without a unit, and HTTP's", () => {
  assert.deepEqual(parseContentRange("0-511"), { first: 0, last: 511 });
  assert.deepEqual(parseContentRange("bytes 512-1023/*"), { first: 512, last: 1023 });
  for (const bad of ["", "0", "-5", "5-", "9-3", "a-b", "0-511, 512-600"])
    assert.equal(parseContentRange(bad), undefined, bad);
});

test("formatReceived() names the last byte", () => {
  assert.deepEqual([0, 1, 512].map(formatReceived), ["0-0", "0-0", "0-511"]);
});
