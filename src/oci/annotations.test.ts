import assert from "node:assert/strict";
import { test } from "node:test";

import { isRefName } from "./annotations.ts";
import { detectCompression } from "../internal/detect-compression.ts";

test("isRefName() accepts tags and full names", () => {
  for (const name of ["v1", "1.0.0-rc+1", "docker.io/library/a:1", "a--b", "a@b"])
    assert.ok(isRefName(name), name);
  for (const name of ["", "-a", "a-", "a//b", "a---b", "a..b", "a b"])
    assert.equal(isRefName(name), false, name);
});

test("detectCompression() goes by magic numbers, and is content with few bytes", () => {
  const cases = {
    "1f8b08": "gzip",
    "1f8b": "none",
    "28b52ffd": "zstd",
    "5a2a4d1800000000": "zstd",
    "5a2a4d18": "none",
    "602a4d1800000000": "none",
    "": "none",
  };
  for (const [hex, expected] of Object.entries(cases)) {
    assert.equal(detectCompression(Buffer.from(hex, "hex")), expected, hex);
  }
});
