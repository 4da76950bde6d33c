import assert from "node:assert/strict";
import { test } from "node:test";

import { parseSize } from "./size.ts";

test("parseSize() reads decimal and binary units, and fractions of them", () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ["4096", 4096],
    ["1kB", 1_000],
    ["1KiB", 1_024],
    ["500MB", 500_000_000],
    ["50GiB", 50 * 2 ** 30],
    ["1.5TB", 1_500_000_000_000],
    ["0.5KiB", 512],
    ["2TiB", 2 * 2 ** 40],
    ["0", undefined],
    ["0.0001kB", undefined],
    ["0.1", undefined],
    ["", undefined],
    ["GB", undefined],
    ["1 GB", undefined],
    ["-1GB", undefined],
    ["1e3", undefined],
    ["1KB", undefined],
    ["1kiB", undefined],
    ["1.GB", undefined],
    ["999999999999TiB", undefined],
  ];
  for (const [text, bytes] of cases) assert.equal(parseSize(text), bytes, text);
});
