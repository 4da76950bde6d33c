import assert from "node:assert/strict";
import { test } from "node:test";

import { readNamespaces, readQuota, readRegistry } from "./options.ts";

test("quotas are sizes as people write them, and none", () => {
  const bytes = (quota: string): number | undefined => readQuota({ quota }).maxBytes;
  assert.deepEqual(["1", "50GB", "10GiB", "1.5TB", "0.5KiB", "none"].map(bytes), [
    1,
    50e9,
    10 * 2 ** 30,
    1.5e12,
    512,
    undefined,
  ]);
  for (const text of ["", "0", "-1", "1gb", "1 GB", "GB", "1.GB", "1e3", "9999999TiB", "50GBs"]) {
    assert.throws(() => bytes(text), { code: "USAGE" }, text);
  }
  assert.deepEqual(readQuota({ tags: "7" }), { maxTags: 7 });
  assert.deepEqual(readQuota({}), {});
  assert.ok("maxTags" in readQuota({ tags: "none" }), "it is to be undone");
});

test("a namespace is named once, and pushes when it is named so anywhere", () => {
  assert.deepEqual(readNamespaces({ namespace: ["a", "b"], "pull-only-namespace": ["b", "c", "c"] }), [
    { name: "a", pushes: true },
    { name: "b", pushes: true },
    { name: "c", pushes: false },
  ]);
  assert.throws(() => readNamespaces({ namespace: ["A"] }), { code: "USAGE" });
});

test("a registry is a host as images name it", () => {
  for (const text of ["localhost", "127.0.0.1:5000", "registry.example.com", "[::1]:5000"]) {
    assert.equal(readRegistry(text), text);
  }
  for (const text of ["", "https://r.example.com", "r.example.com/x", "r.example.com:x", "-r", "r:123456"]) {
    assert.throws(() => readRegistry(text), { code: "USAGE" }, text);
  }
});
