import assert from "node:assert/strict";
import { test } from "node:test";

import { applyJsonPatch, type JsonObject, type KubernetesObject } from "../../kubernetes/index.ts";
import { accountWith, addEntry, removeEntry } from "./service-account.ts";

function account(more: JsonObject = {}, metadata: JsonObject = {}): KubernetesObject {
  const about = { name: "default", namespace: "shop", resourceVersion: "7", ...metadata };
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: about, ...more };
}

function patched(object: KubernetesObject, patch: readonly JsonObject[] | undefined): KubernetesObject {
  assert.ok(patch !== undefined);
  return applyJsonPatch(object, JSON.parse(JSON.stringify(patch))) as KubernetesObject;
}

const ENTRY = "dray-acme-pull";

test("an entry comes and goes, and leaves everything as it was", () => {
  for (const before of [
    account(),
    account({ imagePullSecrets: [{ name: "theirs" }] }),
    account({ imagePullSecrets: [] }, { annotations: { theirs: "x" } }),
    account(
      { imagePullSecrets: [{ name: "theirs" }], secrets: [{ name: "x" }] },
      { annotations: { "a/b": "x" } },
    ),
  ]) {
    const after = patched(before, addEntry(before, ENTRY, "acme"));
    const names = (after["imagePullSecrets"] as { name: string }[]).map(({ name }) => name);
    assert.deepEqual(names.slice(-1), [ENTRY]);
    assert.equal(after.metadata.annotations?.["tenants.dray.dev/acme"], ENTRY);
    assert.equal(addEntry(after, ENTRY, "acme"), undefined, "it is there");
    const removed = patched(after, removeEntry(after, "acme"));
    const { imagePullSecrets: had = [], ...rest } = before;
    const { imagePullSecrets: has = [], ...left } = removed;
    assert.deepEqual([has, left], [had, rest]);
    assert.equal(removeEntry(removed, "acme"), undefined);
  }
});

test("tenants of one namespace stay out of each other's way", () => {
  let shared: KubernetesObject = accountWith(ENTRY, "acme", "shop");
  shared = { ...shared, metadata: { ...shared.metadata, resourceVersion: "1" } };
  shared = patched(shared, addEntry(shared, "dray-globex-pull", "globex"));
  shared = patched(shared, removeEntry(shared, "acme"));
  assert.deepEqual(shared["imagePullSecrets"], [{ name: "dray-globex-pull" }]);
  assert.deepEqual(shared.metadata.annotations, { "tenants.dray.dev/globex": "dray-globex-pull" });
});

test("an entry that somebody made by hand is theirs", () => {
  const theirs = account({ imagePullSecrets: [{ name: ENTRY }] });
  assert.equal(addEntry(theirs, ENTRY, "acme"), undefined);
  assert.equal(removeEntry(theirs, "acme"), undefined);
});

test("a patch holds for the account that was looked at, and no other", () => {
  const before = account();
  const patch = addEntry(before, ENTRY, "acme") ?? [];
  const changed = account({}, { resourceVersion: "8" });
  assert.throws(() => applyJsonPatch(changed, JSON.parse(JSON.stringify(patch))));
});
