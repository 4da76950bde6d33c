import assert from "node:assert/strict";
import { test } from "node:test";

import { ClientError } from "./errors.ts";
import { isTransient, parseRetryAfter, RetryPolicy, sleepOnTimer } from "./retry.ts";

const now = Date.parse("2026-01-02T03:04:05Z");

const headers: readonly (readonly [string | undefined, number | undefined])[] = [
  ["0", 0],
  [" 12 ", 12_000],
  ["Fri, 02 Jan 2026 03:04:35 GMT", 30_000],
  ["Friday, 02-Jan-26 03:04:35 GMT", 30_000],
  ["Fri Jan  2 03:04:35 2026", 30_000],
  ["Fri, 02 Jan 2026 03:00:00 GMT", 0],
  ["-5", undefined],
  ["1.5", undefined],
  ["2026", 2_026_000],
  ["soon", undefined],
  ["", undefined],
  [undefined, undefined],
];

for (const [value, expected] of headers) {
  test(`parseRetryAfter() reads ${JSON.stringify(value)} as ${expected} ms`, () => {
    assert.equal(parseRetryAfter(value, now), expected);
  });
}

test("delays double up to the limit, with full jitter", () => {
  const policy = new RetryPolicy({ delay: 100, maxDelay: 500 }, () => 0.5);
  assert.deepEqual(
    [1, 2, 3, 4, 20].map((attempt) => policy.delayAfter(attempt)),
    [50, 100, 200, 250, 250],
  );
});

for (const [status, transient] of [
  [408, true],
  [425, true],
  [429, true],
  [500, true],
  [502, true],
  [503, true],
  [504, true],
  [400, false],
  [401, false],
  [403, false],
  [404, false],
  [416, false],
  [501, false],
] as const) {
  test(`status ${status} is ${transient ? "" : "not "}tried again`, () => {
    assert.equal(isTransient(new ClientError("STATUS_UNEXPECTED", "Cannot", { status })), transient);
  });
}

test("a cut connection is tried again; a refused one or a bad certificate isn't", () => {
  assert.equal(isTransient(new ClientError("NETWORK_RESET", "Cannot")), true);
  assert.equal(isTransient(new ClientError("NETWORK_REFUSED", "Cannot")), false);
  assert.equal(isTransient(new ClientError("TLS_EXPIRED", "Cannot")), false);
});

test("waiting ends with the signal's own reason", async () => {
  const reason = new Error("enough");
  await assert.rejects(sleepOnTimer(1e6, AbortSignal.abort(reason)), (error) => error === reason);
});
