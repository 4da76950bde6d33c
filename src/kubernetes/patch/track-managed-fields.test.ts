import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import fc from "fast-check";

import { type Json, type JsonObject, type KubernetesObject, parseApiVersion } from "../objects/object.ts";
import { findKind } from "../objects/resources.ts";
import { fieldSetOf, formatFields, isEmptySet, parseFields, pathsOf } from "./field-set.ts";
import { ignoreTimestampsAlone, trackManagedFields } from "./track-managed-fields.ts";

interface Recorded {
  readonly name: string;
  readonly operation: "CREATE" | "UPDATE";
  readonly subresource: string;
  readonly object: KubernetesObject;
  readonly oldObject?: KubernetesObject;
}

interface Entry extends JsonObject {
  readonly manager: string;
  readonly time: string;
}

const { cases } = JSON.parse(
  readFileSync(new URL("recorded-managed-fields.json", import.meta.url), "utf8"),
) as { readonly cases: readonly Recorded[] };

for (const recorded of cases) {
  test(`trackManagedFields() says what the API server said of ${recorded.name}`, () => {
    const { object, oldObject, subresource } = recorded;
    const expected = object.metadata.managedFields as readonly Entry[];
    const own = expected.at(-1) as Entry;
    const next =
      oldObject === undefined
        ? asSent(object)
        : withMetadata(object, { managedFields: oldObject.metadata.managedFields ?? [] });
    const tracked = trackManagedFields(oldObject, next, {
      schema: schemaOf(object),
      manager: own.manager,
      subresource,
      now: new Date(own.time),
    });
    // As texts: the order of the fields counts, too.
    assert.equal(JSON.stringify(tracked.metadata.managedFields), JSON.stringify(expected));
  });
}

/** Before admission and strategy added what nobody sent. */
function asSent(object: KubernetesObject): KubernetesObject {
  const { managedFields: _, ...metadata } = object.metadata;
  if (object.kind !== "Pod") return { ...object, metadata };
  const text = JSON.stringify(object["spec"], (name, value: Json) => {
    if (
      ["serviceAccount", "serviceAccountName", "tolerations", "priority", "preemptionPolicy"].includes(name)
    ) {
      return undefined;
    }
    // All volumes of the recorded Pods are the account's token.
    return name === "volumeMounts" || name === "volumes" ? undefined : value;
  });
  return { ...object, metadata, spec: JSON.parse(text) as Json, status: {} };
}

function schemaOf(object: KubernetesObject): string {
  return findKind({ ...parseApiVersion(object.apiVersion), kind: object.kind })?.schema ?? "";
}

function withMetadata(object: KubernetesObject, metadata: JsonObject): KubernetesObject {
  return { ...object, metadata: { ...object.metadata, ...metadata } };
}

const NOW = new Date("2026-01-02T03:04:05.678Z");
const LATER = new Date("2026-01-02T04:00:00Z");

function configMap(data: JsonObject, metadata: JsonObject = {}): KubernetesObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", ...metadata }, data };
}

function track(
  live: KubernetesObject | undefined,
  next: KubernetesObject,
  manager: string,
  now: Date = NOW,
): KubernetesObject {
  return trackManagedFields(live, next, { schema: "io.k8s.api.core.v1.ConfigMap", manager, now });
}

const entries = (object: KubernetesObject): readonly JsonObject[] => object.metadata.managedFields ?? [];

test("trackManagedFields() moves what an update changes to who updates", () => {
  const created = track(undefined, configMap({ a: "1", b: "1" }), "one");
  const updated = track(created, { ...created, data: { a: "2", c: "1" } }, "two", LATER);
  assert.deepEqual(
    entries(updated).map(({ manager, time, fieldsV1 }) => [manager, time, fieldsV1]),
    [
      ["one", "2026-01-02T03:04:05Z", { "f:data": {} }],
      ["two", "2026-01-02T04:00:00Z", { "f:data": { "f:a": {}, "f:c": {} } }],
    ],
  );
});

test("trackManagedFields() leaves everything as it was where nothing changed", () => {
  const created = track(undefined, configMap({ a: "1" }), "one");
  assert.deepEqual(track(created, structuredClone(created), "two", LATER), created);
});

test("trackManagedFields() forgets ownership for [{}] alone, and then tracks none", () => {
  const created = track(undefined, configMap({ a: "1" }), "one");
  const emptied = track(created, withMetadata(created, { managedFields: [] }), "one", LATER);
  assert.deepEqual(emptied, created);
  const reset = track(created, withMetadata(created, { managedFields: [{}] }), "one", LATER);
  assert.equal(reset.metadata.managedFields, undefined);
  const after = track(reset, { ...reset, data: { b: "2" } }, "two", LATER);
  assert.equal(after.metadata.managedFields, undefined);
});

test("trackManagedFields() keeps what is stored where clients send what can't be read", () => {
  const created = track(undefined, configMap({ a: "1" }), "one");
  for (const managedFields of [
    [{ manager: "x" }],
    [
      {
        manager: "x",
        operation: "Apply",
        apiVersion: "v1",
        fieldsType: "FieldsV1",
        fieldsV1: { nosuch: {} },
      },
    ],
    [{ manager: "x", operation: "Update", apiVersion: "", fieldsType: "FieldsV1", fieldsV1: {} }],
    "text",
  ]) {
    assert.deepEqual(track(created, withMetadata(created, { managedFields }), "two", LATER), created);
  }
});

test("trackManagedFields() puts the oldest of many who update together", () => {
  let object = track(undefined, configMap({ start: "1" }), "m0");
  for (let at = 1; at <= 14; at++) {
    const next = { ...object, data: { ...(object["data"] as JsonObject), [`k${at}`]: "1" } };
    object = track(object, next, `m${at}`, new Date(NOW.getTime() + at * 1000));
  }
  const managers = entries(object).map((entry) => entry["manager"]);
  assert.equal(managers.length, 10);
  assert.equal(managers[0], "ancient-changes");
  assert.deepEqual(entries(object)[0]?.["fieldsV1"], {
    "f:data": { ".": {}, "f:k1": {}, "f:k2": {}, "f:k3": {}, "f:k4": {}, "f:k5": {}, "f:start": {} },
  });
});

test("trackManagedFields() ignores a status that comes with the object, and a spec that comes with a status", () => {
  const pod = (spec: JsonObject, status: JsonObject): KubernetesObject => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec,
    status,
  });
  const options = { schema: "io.k8s.api.core.v1.Pod", now: NOW };
  const created = trackManagedFields(undefined, pod({ nodeName: "n" }, { phase: "Failed" }), {
    ...options,
    manager: "kubectl",
  });
  assert.deepEqual(entries(created)[0]?.["fieldsV1"], { "f:spec": { "f:nodeName": {} } });
  const next = { ...created, spec: { nodeName: "m" }, status: { phase: "Running" } };
  const updated = trackManagedFields(created, next, {
    ...options,
    manager: "kubelet",
    subresource: "status",
  });
  assert.deepEqual(
    entries(updated).map(({ manager, subresource, fieldsV1 }) => [manager, subresource, fieldsV1]),
    [
      ["kubectl", undefined, { "f:spec": { "f:nodeName": {} } }],
      ["kubelet", "status", { "f:status": { "f:phase": {} } }],
    ],
  );
});

test("ignoreTimestampsAlone() finds updates that only renew a time", () => {
  const created = track(undefined, configMap({ a: "1" }), "one");
  const [entry] = entries(created);
  const renewed = withMetadata(created, { managedFields: [{ ...entry, time: "2027-01-01T00:00:00Z" }] });
  assert.equal(ignoreTimestampsAlone(created, renewed), created);
  const changed = { ...renewed, data: { a: "2" } };
  assert.equal(ignoreTimestampsAlone(created, changed), changed);
});

test("parseFields() reads what formatFields() writes", () => {
  const step = fc.oneof(
    fc.string().map((name) => `f:${name}`),
    fc.record({ name: fc.string(), port: fc.nat() }).map((keys) => `k:${JSON.stringify(keys)}`),
    fc.string().map((value) => `v:${JSON.stringify(value)}`),
    fc.nat(99).map((at) => `i:${at}`),
  );
  fc.assert(
    fc.property(fc.array(fc.array(step, { minLength: 1, maxLength: 4 })), (paths) => {
      const written = formatFields(parseFields(formatFields(fieldSetOf(paths))) ?? fieldSetOf([]));
      assert.equal(
        JSON.stringify(formatFields(parseFields(written) ?? fieldSetOf([]))),
        JSON.stringify(written),
      );
      assert.equal(isEmptySet(parseFields(written) ?? fieldSetOf([])), paths.length === 0);
    }),
  );
});

test("trackManagedFields() never claims what isn't there", () => {
  const data = fc.dictionary(fc.stringMatching(/^[a-e]$/), fc.stringMatching(/^[01]$/));
  fc.assert(
    fc.property(fc.array(fc.tuple(data, fc.constantFrom("x", "y", "z")), { minLength: 1 }), (steps) => {
      let object: KubernetesObject | undefined;
      for (const [content, manager] of steps) {
        object = track(object, configMap(content, object?.metadata ?? {}), manager);
      }
      const claimed = entries(object as KubernetesObject).flatMap((entry) => [
        ...pathsOf(parseFields(entry["fieldsV1"]) ?? fieldSetOf([])),
      ]);
      const names = claimed.filter((path) => path.length === 2).map((path) => path[1]);
      assert.equal(new Set(names).size, names.length);
      assert.deepEqual(
        new Set(names),
        new Set(Object.keys(object?.["data"] as JsonObject).map((name) => `f:${name}`)),
      );
    }),
    { numRuns: 60 },
  );
});
