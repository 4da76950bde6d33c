import assert from "node:assert/strict";
import { test } from "node:test";

import { formatAge, formatBytes, formatDuration, formatRate } from "./units.ts";

test("formatBytes() keeps three digits and the decimal units", () => {
  for (const [bytes, text] of [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [99_949, "99.9 kB"],
    [99_950, "100 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [168_000_000, "168 MB"],
    [1_500_000_000, "1.5 GB"],
  ] as const) {
    assert.equal(formatBytes(bytes), text);
  }
  assert.equal(formatRate(2_500_000), "2.5 MB/s");
});

test("formatDuration() goes from milliseconds to hours", () => {
  for (const [milliseconds, text] of [
    [0, "0ms"],
    [349.6, "350ms"],
    [999.6, "1.0s"],
    [4240, "4.2s"],
    [59_960, "1m00s"],
    [65_000, "1m05s"],
    [3_599_600, "1h00m"],
    [7_380_000, "2h03m"],
  ] as const) {
    assert.equal(formatDuration(milliseconds), text);
  }
});

test("formatAge() says how long ago in one unit", () => {
  for (const [seconds, text] of [
    [-5, "just now"],
    [9, "just now"],
    [59, "59 seconds ago"],
    [60, "1 minute ago"],
    [3600, "1 hour ago"],
    [86_400 * 3, "3 days ago"],
    [86_400 * 20, "2 weeks ago"],
    [86_400 * 100, "3 months ago"],
    [86_400 * 800, "2 years ago"],
  ] as const) {
    assert.equal(formatAge(seconds * 1000), text);
  }
});
