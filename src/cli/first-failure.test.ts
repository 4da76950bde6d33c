import assert from "node:assert/strict";
import { test } from "node:test";

import { firstFailure } from "./first-failure.ts";

test("firstFailure() is what failed, not what failed when that was tidied up", async () => {
  const full = new Error("no space left");
  const fail = async (): Promise<void> => {
    await using outer = { [Symbol.asyncDispose]: () => Promise.reject(new Error("outer does not close")) };
    await using inner = { [Symbol.asyncDispose]: () => Promise.reject(new Error("inner does not close")) };
    await Promise.reject([outer, inner].length === 2 ? full : undefined);
  };
  const thrown = await fail().catch((error: unknown) => error);
  assert.ok(thrown instanceof SuppressedError);
  assert.equal(firstFailure(thrown), full);
  assert.equal(firstFailure(full), full);
});
