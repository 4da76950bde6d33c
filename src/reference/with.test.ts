import assert from "node:assert/strict";
import { test } from "node:test";

import { formatReference } from "./format.ts";
import { parseReference } from "./parse.ts";
import { tagNameOnly, trimReference, withDigest, withName, withTag } from "./with.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;

test("withTag() and withDigest() keep each other's part", () => {
  const both = withDigest(withTag(withName("a.b/c"), "1"), DIGEST);
  assert.equal(formatReference(both), `a.b/c:1@${DIGEST}`);
  assert.equal(formatReference(withTag(both, "2")), `a.b/c:2@${DIGEST}`);
  assert.deepEqual(trimReference(both), { domain: "a.b", path: "c" });
});

test("parts that don't fit are refused", () => {
  const name = withName("a.b/c");
  assert.throws(() => withTag(name, "-1"), { code: "INVALID_TAG" });
  assert.throws(() => withTag(name, "a".repeat(129)), { code: "INVALID_TAG" });
  assert.throws(() => withDigest(name, "sha256:12"), { code: "INVALID_DIGEST_FORMAT" });
  assert.throws(() => withName(""), { code: "INVALID_FORMAT" });
  assert.throws(() => withName(`a.b/${"c".repeat(256)}`), { code: "NAME_TOO_LONG" });
});

test("tagNameOnly() leaves names alone that say which image they mean", () => {
  assert.equal(tagNameOnly(parseReference("a")).tag, "latest");
  assert.equal(tagNameOnly(parseReference("a:1")).tag, "1");
  assert.equal(tagNameOnly(parseReference(`a@${DIGEST}`)).tag, undefined);
});
