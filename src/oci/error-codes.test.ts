import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { errorStatus, formatErrorBody, parseErrorBody } from "./error-codes.ts";

test("parseErrorBody() reads what formatErrorBody() writes", () => {
  const errors = [
    { code: "MANIFEST_BLOB_UNKNOWN", message: "missing", detail: { digest: "sha256:…" } },
    { code: "NAME_INVALID", message: "wrong" },
  ];
  assert.deepEqual(parseErrorBody(formatErrorBody(errors)), errors);
});

test("parseErrorBody() makes the best of other shapes", () => {
  assert.deepEqual(parseErrorBody("<html>"), []);
  assert.deepEqual(parseErrorBody("null"), []);
  assert.deepEqual(parseErrorBody('{"errors":[null,1,{},"text"]}'), [{ code: "UNKNOWN", message: "text" }]);
  assert.deepEqual(parseErrorBody('{"errors":[{"code":"DENIED"}]}'), [{ code: "DENIED", message: "" }]);
  assert.deepEqual(parseErrorBody('{"details":"incorrect username or password"}'), [
    { code: "UNKNOWN", message: "incorrect username or password" },
  ]);
  assert.deepEqual(parseErrorBody('{"error":"invalid_grant","error_description":"expired"}'), [
    { code: "invalid_grant", message: "expired" },
  ]);
});

test("parseErrorBody() never throws", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (body) => Array.isArray(parseErrorBody(body))));
});

test("errorStatus() answers 500 for what isn't the protocol's", () => {
  assert.equal(errorStatus("BLOB_UNKNOWN"), 404);
  assert.equal(errorStatus("RANGE_INVALID"), 416);
  assert.equal(errorStatus("toString"), 500);
});
