import assert from "node:assert/strict";
import { test } from "node:test";

import { imageUser } from "./image-user.ts";

const CASES: readonly [user: string, uid: bigint | undefined, username: string][] = [
  ["", undefined, ""],
  ["0", 0n, ""],
  ["1002", 1002n, ""],
  ["1003:users", 1003n, ""],
  ["www-data", undefined, "www-data"],
  ["www-data:1003", undefined, "www-data"],
  [":1003", undefined, ""],
  ["007", 7n, ""],
  ["+5", 5n, ""],
  ["-1", -1n, ""],
  ["9223372036854775807", 2n ** 63n - 1n, ""],
  ["9223372036854775808", undefined, "9223372036854775808"],
  ["-9223372036854775808", -(2n ** 63n), ""],
  ["1e3", undefined, "1e3"],
  ["0x10", undefined, "0x10"],
  ["1_000", undefined, "1_000"],
  [" 1", undefined, " 1"],
  ["1000:1000:1000", 1000n, ""],
];

for (const [user, uid, username] of CASES) {
  test(`imageUser() reads ${JSON.stringify(user)}`, () => {
    assert.deepEqual(imageUser(user), { uid, username });
  });
}
