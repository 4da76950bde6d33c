import assert from "node:assert/strict";
import { test } from "node:test";

import { expiryOf } from "./expiry.ts";

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64");
}

const END = Date.UTC(2026, 0, 5, 12) / 1000;

test("expiryOf() reads tokens, and the passwords of Amazon's registries", () => {
  assert.equal(expiryOf(`e30.${encode({ exp: END })}.sig`), "2026-01-05T12:00:00Z");
  const amazon = {
    payload: "cGF5bG9hZA==",
    datakey: "a2V5",
    version: "2",
    type: "DATA_KEY",
    expiration: END,
  };
  assert.equal(expiryOf(encode(amazon)), "2026-01-05T12:00:00Z");
  for (const none of [
    "",
    "hunter2",
    "a.b",
    "a.b.c",
    encode([]),
    encode(null),
    encode({ expiration: "soon" }),
  ]) {
    assert.equal(expiryOf(none), undefined, none);
  }
});
