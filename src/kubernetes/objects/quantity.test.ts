import assert from "node:assert/strict";
import { test } from "node:test";

import { ONE, parseQuantity } from "./quantity.ts";

test("parseQuantity() makes amounts comparable, whatever they are written in", () => {
  for (const [text, amount] of [
    ["0", 0n],
    ["1", ONE],
    ["+2", 2n * ONE],
    ["-1", -ONE],
    ["0.5", ONE / 2n],
    [".5", ONE / 2n],
    ["500m", ONE / 2n],
    ["1e3", 1000n * ONE],
    ["1k", 1000n * ONE],
    ["1E", 10n ** 18n * ONE],
    ["1Ki", 1024n * ONE],
    ["1.5Gi", 1536n * 1024n ** 2n * ONE],
    ["0.0000000001", 1n],
  ] as const) {
    assert.equal(parseQuantity(text), amount, text);
  }
});

test("parseQuantity() refuses what is no amount", () => {
  for (const text of ["", ".", "1 Gi", "Gi", "1gi", "1.2.3", "--1", "1e", "1e999999999", "0x10"]) {
    assert.equal(parseQuantity(text), undefined, text);
  }
});
