import assert from "node:assert/strict";
import { test } from "node:test";

import { canonicalQuantity, parseQuantity } from "./quantity.ts";

test("canonicalQuantity() writes an amount in the one form the API gives back", () => {
  for (const [text, canonical] of [
    ["0", "0"],
    ["0.5", "500m"],
    ["1000m", "1"],
    ["1.5", "1500m"],
    ["1024Mi", "1Gi"],
    ["1.5Gi", "1536Mi"],
    ["1000Ki", "1000Ki"],
    ["100", "100"],
    ["1000", "1k"],
    ["512Ki", "512Ki"],
    ["0.5Ki", "512"],
    ["1e3", "1e3"],
    ["1E", "1E"],
    ["+2", "2"],
    ["-1", "-1"],
    [".5", "500m"],
    ["0.0000000001", "1n"],
    ["nonsense", "nonsense"],
  ] as const) {
    assert.equal(canonicalQuantity(text), canonical, text);
  }
});

test("parseQuantity() refuses what is no amount", () => {
  for (const text of ["", "1 Gi", "Gi", "1gi", "1.2.3", "--1", "1e", "1e999999999", "0x10"]) {
    assert.equal(parseQuantity(text), undefined, text);
  }
});
