import assert from "node:assert/strict";
import { test } from "node:test";

import { ClientError } from "../../client/index.ts";
import { UpstreamError } from "../../registry/index.ts";
import { toUpstreamError } from "./upstream-errors.ts";

for (const [code, options, expected, retryAfter] of [
  ["MANIFEST_UNKNOWN", { status: 404 }, "MANIFEST_UNKNOWN", undefined],
  ["UNAUTHORIZED", { status: 401 }, "UNAUTHORIZED", undefined],
  ["TOKEN_FAILED", { status: 401 }, "UNAUTHORIZED", undefined],
  ["TOKEN_FAILED", { status: 429, retryAfter: 7_000 }, "TOOMANYREQUESTS", 7_000],
  ["TOKEN_FAILED", { status: 502 }, "UPSTREAM_UNREACHABLE", undefined],
  ["TOOMANYREQUESTS", { status: 429, retryAfter: 5_000 }, "TOOMANYREQUESTS", 5_000],
  ["NETWORK_REFUSED", {}, "UPSTREAM_UNREACHABLE", undefined],
  ["TLS_EXPIRED", {}, "UPSTREAM_UNREACHABLE", undefined],
  ["STATUS_UNEXPECTED", { status: 503, retryAfter: 9_000 }, "UPSTREAM_UNREACHABLE", 9_000],
  ["STATUS_UNEXPECTED", { status: 500 }, "UPSTREAM_UNREACHABLE", 0],
  ["STATUS_UNEXPECTED", { status: 418 }, "UPSTREAM_INVALID", undefined],
  ["DIGEST_INVALID", {}, "UPSTREAM_INVALID", undefined],
  ["UNSUPPORTED", {}, "UNSUPPORTED", undefined],
] as const) {
  test(`${code} with status ${"status" in options ? options.status : "none"} is ${expected}`, () => {
    const cause = new ClientError(code, "Cannot do that: because", options);
    const error = toUpstreamError(cause, "Basic");
    assert.ok(error instanceof UpstreamError);
    assert.equal(error.code, expected);
    assert.equal(error.message, cause.message);
    assert.equal(error.retryAfter, retryAfter);
    assert.equal(error.challenge, expected === "UNAUTHORIZED" ? "Basic" : undefined);
  });
}

test("what is no failure of the registry stays what it is", () => {
  const error = new Error("the disk is full");
  assert.equal(toUpstreamError(error), error);
});
