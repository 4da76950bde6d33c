import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import fc from "fast-check";

import { applyDefaults } from "../defaults/apply-defaults.ts";
import type { Json, JsonObject, KubernetesObject } from "../objects/object.ts";
import { StatusError } from "../objects/status.ts";
import { applyServerSide } from "./apply-server-side.ts";
import { fieldSetOf, parseFields, pathsOf } from "./field-set.ts";
import { applyJsonPatch } from "./json-patch.ts";
import { trackManagedFields } from "./track-managed-fields.ts";

const NOW = new Date("2026-01-02T03:04:05Z");
const LATER = new Date("2026-01-02T04:00:00Z");
const POD = "io.k8s.api.core.v1.Pod";
const CONFIG_MAP = "io.k8s.api.core.v1.ConfigMap";
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

interface Options {
  readonly schema?: string;
  readonly force?: boolean;
  readonly now?: Date;
}

function apply(
  live: KubernetesObject | undefined,
  applied: JsonObject,
  manager: string,
  { schema = POD, force = false, now = NOW }: Options = {},
): KubernetesObject {
  return applyServerSide(live, applied as KubernetesObject, { schema, manager, force, now });
}

function pod(spec: JsonObject, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name: "web", namespace: "shop", ...metadata }, spec };
}

function configMap(data: JsonObject): JsonObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data };
}

function refusal(run: () => unknown): StatusError["status"] {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof StatusError);
    return error.status;
  }
  assert.fail("applied");
}

function owned(object: KubernetesObject): JsonObject {
  const entries = object.metadata.managedFields ?? [];
  return Object.fromEntries(entries.map((entry) => [entry["manager"] as string, entry["fieldsV1"]]));
}

test("applyServerSide() creates, and owns what was applied", () => {
  const applied = pod({ containers: [{ name: "web", image: "app:v1", ports: [{ containerPort: 80 }] }] });
  const created = apply(undefined, applied, "me");
  assert.deepEqual(created["spec"], applied["spec"]);
  assert.deepEqual(created.metadata.managedFields, [
    {
      manager: "me",
      operation: "Apply",
      apiVersion: "v1",
      time: "2026-01-02T03:04:05Z",
      fieldsType: "FieldsV1",
      fieldsV1: {
        "f:spec": {
          "f:containers": {
            'k:{"name":"web"}': {
              ".": {},
              "f:image": {},
              "f:name": {},
              "f:ports": {
                'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} },
              },
            },
          },
        },
      },
    },
  ]);
});

test("applyServerSide() returns the stored object itself where nothing changed", () => {
  const applied = pod({ containers: [{ name: "web", image: "app:v1" }] }, { labels: { a: "b" } });
  const created = apply(undefined, applied, "me");
  assert.equal(apply(created, applied, "me", { now: LATER }), created);
});

test("applyServerSide() removes what is applied no more, unless others own it", () => {
  const created = apply(undefined, configMap({ a: "1", b: "1", c: "1" }), "me", { schema: CONFIG_MAP });
  const shared = apply(created, configMap({ b: "1" }), "other", { schema: CONFIG_MAP });
  assert.equal(shared.metadata.managedFields?.[0]?.["time"], undefined);
  const updated = trackManagedFields(
    shared,
    { ...shared, data: { ...(shared["data"] as JsonObject), u: "1" } },
    { schema: CONFIG_MAP, manager: "edit", now: NOW },
  );
  const applied = apply(updated, configMap({ c: "1" }), "me", { schema: CONFIG_MAP, now: LATER });
  assert.deepEqual(applied["data"], { b: "1", c: "1", u: "1" });
  const last = apply(applied, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } }, "other", {
    schema: CONFIG_MAP,
  });
  assert.deepEqual(last["data"], { c: "1", u: "1" });
  assert.deepEqual(Object.keys(owned(last)).toSorted(), ["edit", "me"]);
});

test("applyServerSide() removes containers, and keeps what others set in those that stay", () => {
  const two = [
    { name: "a", image: "a:1" },
    { name: "b", image: "b:1" },
  ];
  const created = apply(undefined, pod({ containers: two }), "me");
  const [a, b] = (created["spec"] as { containers: JsonObject[] }).containers;
  const updated = trackManagedFields(
    created,
    {
      ...created,
      spec: {
        containers: [
          { ...a, tty: true },
          { ...b, tty: true },
        ],
      },
    },
    { schema: POD, manager: "edit", now: NOW },
  );
  const applied = apply(updated, pod({ containers: [{ name: "a", image: "a:2" }] }), "me");
  // Of b, only what someone else set keeps it there; its key stays with it.
  const containers = (applied["spec"] as { containers: JsonObject[] }).containers;
  assert.deepEqual(containers[0], { name: "a", image: "a:2", tty: true });
  assert.deepEqual(containers.length, 1);
});

test("applyServerSide() refuses to take fields from others, and says whose they are", () => {
  const created = trackManagedFields(
    undefined,
    pod({ containers: [{ name: "web", image: "app:v1" }], nodeName: "n" }) as KubernetesObject,
    { schema: POD, manager: "kubectl-run", now: NOW },
  );
  const one = refusal(() => apply(created, pod({ nodeName: "m" }), "me"));
  assert.equal(one.code, 409);
  assert.equal(one.reason, "Conflict");
  assert.equal(
    one.message,
    'Apply failed with 1 conflict: conflict with "kubectl-run" using v1: .spec.nodeName',
  );
  assert.deepEqual(one.details, {
    causes: [
      {
        reason: "FieldManagerConflict",
        message: 'conflict with "kubectl-run" using v1',
        field: ".spec.nodeName",
      },
    ],
  });
  const other = apply(created, pod({ restartPolicy: "Never" }), "first");
  const many = pod({ nodeName: "m", restartPolicy: "Always", containers: [{ name: "web", image: "x" }] });
  assert.equal(
    refusal(() => apply(other, many, "me")).message,
    [
      'Apply failed with 3 conflicts: conflicts with "first":',
      "- .spec.restartPolicy",
      'conflicts with "kubectl-run" using v1:',
      "- .spec.nodeName",
      '- .spec.containers[name="web"].image',
    ].join("\n"),
  );
  const forced = apply(other, many, "me", { force: true });
  assert.deepEqual(forced["spec"], {
    containers: [{ name: "web", image: "x" }],
    nodeName: "m",
    restartPolicy: "Always",
  });
  assert.deepEqual(Object.keys(owned(forced)).toSorted(), ["kubectl-run", "me"]);
  assert.deepEqual(owned(forced)["kubectl-run"], {
    "f:spec": { "f:containers": { 'k:{"name":"web"}': { ".": {}, "f:name": {} } } },
  });
});

test("applyServerSide() treats atomic lists and objects as one field", () => {
  const created = apply(
    undefined,
    pod({ nodeSelector: { a: "1", b: "1" }, tolerations: [{ key: "x" }] }),
    "me",
  );
  assert.deepEqual(owned(created)["me"], { "f:spec": { "f:nodeSelector": {}, "f:tolerations": {} } });
  const conflict = refusal(() => apply(created, pod({ nodeSelector: { a: "1" } }), "other"));
  assert.match(conflict.message ?? "", /: \.spec\.nodeSelector$/);
});

test("applyServerSide() owns items of sets one by one", () => {
  const finalizers = (...all: string[]): JsonObject => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", ...(all.length > 0 && { finalizers: all }) },
  });
  const one = apply(undefined, finalizers("a.b/c"), "one");
  const two = apply(one, finalizers("d.e/f"), "two");
  assert.deepEqual(two.metadata.finalizers, ["a.b/c", "d.e/f"]);
  assert.deepEqual(owned(two)["two"], { "f:metadata": { "f:finalizers": { 'v:"d.e/f"': {} } } });
  assert.deepEqual(apply(two, finalizers(), "one").metadata.finalizers, ["d.e/f"]);
});

test("applyServerSide() takes applied items in their order, and others where they stood", () => {
  const names = (object: KubernetesObject): string[] =>
    (object["spec"] as { containers: { name: string }[] }).containers.map((one) => one.name);
  const list = (...all: string[]): JsonObject =>
    pod({ containers: all.map((name) => ({ name, image: "i" })) });
  const base = apply(undefined, list("a", "b", "c"), "one");
  assert.deepEqual(names(apply(base, list("c", "a"), "two")), ["b", "c", "a"]);
  assert.deepEqual(names(apply(base, list("n", "b"), "two")), ["a", "n", "b", "c"]);
  assert.deepEqual(names(apply(base, list("a", "n"), "two")), ["a", "b", "c", "n"]);
});

test("applyServerSide() says what the types don't know, and what may not be applied", () => {
  const title = "failed to create typed patch object (shop/web; /v1, Kind=Pod): ";
  const cases: [spec: JsonObject, text: string][] = [
    [{ nosuch: 1 }, ".spec.nosuch: field not declared in schema"],
    [{ nodeName: 1 }, ".spec.nodeName: expected string, got &value.valueUnstructured{Value:1}"],
    [{ priority: "x" }, ".spec.priority: expected numeric (int or float), got string"],
    [{ hostNetwork: "x" }, ".spec.hostNetwork: expected boolean, got &{x}"],
    [
      { nodeName: [1, { b: null, a: "x" }] },
      '.spec.nodeName: expected string, got &value.valueUnstructured{Value:[]interface {}{1, map[string]interface {}{"a":"x", "b":interface {}(nil)}}}',
    ],
    [{ containers: { name: "a" } }, ".spec.containers: expected list, got &{map[name:a]}"],
    [{ nodeSelector: [true] }, ".spec.nodeSelector: expected map, got &{[true]}"],
    [
      { containers: [{ name: "a", resources: { limits: { cpu: ["1"] } } }] },
      '.spec.containers[name="a"].resources.limits.cpu: expected any scalar, got &{[1]}',
    ],
    [
      { containers: [{ name: "a" }, { name: "a" }] },
      '.spec.containers: duplicate entries for key [name="a"]',
    ],
    [
      { nodeName: 1, hostname: 2, x: 1, y: 1 },
      "errors:\n  .spec.nodeName: expected string, got &value.valueUnstructured{Value:1}\n" +
        "  .spec.hostname: expected string, got &value.valueUnstructured{Value:2}\n" +
        "  .spec.x: field not declared in schema",
    ],
  ];
  for (const [spec, text] of cases) {
    const status = refusal(() => apply(undefined, pod(spec), "me"));
    assert.deepEqual([status.code, status.message], [500, title + text]);
  }
  const managed = refusal(() => apply(undefined, pod({}, { managedFields: [] }), "me"));
  assert.deepEqual([managed.code, managed.message], [400, "metadata.managedFields must be nil"]);
  const live = apply(undefined, pod({ nodeName: "n" }), "me");
  assert.match(
    refusal(() => apply(live, { ...pod({}), apiVersion: "v2" }, "me")).message ?? "",
    /^Incorrect version/,
  );
});

test("applyServerSide() gives fields of objects without owners to who came before", () => {
  const live = pod({ nodeName: "n", hostname: "h" }, { uid: "u" }) as KubernetesObject;
  const applied = apply(live, pod({ nodeName: "n" }), "me");
  assert.deepEqual(owned(applied), {
    "before-first-apply": { "f:spec": { "f:hostname": {}, "f:nodeName": {} } },
    me: { "f:spec": { "f:nodeName": {} } },
  });
});

test("applyServerSide() lets kubectl take over what it applied from its own side", () => {
  const sent = pod({ containers: [{ name: "web", image: "app:v1" }], nodeName: "n" });
  const annotations = { [LAST_APPLIED]: JSON.stringify(sent) };
  const created = trackManagedFields(
    undefined,
    pod(sent["spec"] as JsonObject, { annotations }) as KubernetesObject,
    { schema: POD, manager: "kubectl-client-side-apply", now: NOW },
  );
  const next = pod({ containers: [{ name: "web", image: "app:v2" }], nodeName: "n" });
  const applied = apply(created, next, "kubectl");
  assert.deepEqual(applied["spec"], next["spec"]);
  assert.equal(
    applied.metadata.annotations?.[LAST_APPLIED],
    '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop"},"spec":{"containers":[{"image":"app:v2","name":"web"}],"nodeName":"n"}}\n',
  );
  assert.equal(refusal(() => apply(created, next, "someone")).code, 409);
});

test("applyServerSide() stores what the API server stored for kubectl apply --server-side", () => {
  const { steps } = JSON.parse(readFileSync(new URL("recorded-apply.json", import.meta.url), "utf8")) as {
    readonly steps: readonly { body: Json; response: KubernetesObject }[];
  };
  const [, second, third, fourth] = steps;
  assert.ok(second !== undefined && third !== undefined && fourth !== undefined);
  const before = { ...second.response, metadata: { ...second.response.metadata, managedFields: [] } };
  const live = applyJsonPatch(before, third.body) as KubernetesObject;
  const applied = apply(live, fourth.body as JsonObject, "kubectl", { force: true });
  const { status: _, ...stored } = applyDefaults(applied) as KubernetesObject;
  const { managedFields, ...metadata } = stored.metadata;
  assert.deepEqual(
    { ...stored, metadata: { ...metadata, resourceVersion: "" } },
    { ...fourth.response, metadata: { ...fourth.response.metadata, resourceVersion: "" } },
  );
  assert.deepEqual(
    (managedFields ?? []).map((entry) => entry["manager"]),
    ["kubectl-last-applied", "kubectl", "kubelet"],
  );
  // The next apply by the other manager of kubectl, as it was sent, finds all as it wants it.
  const annotated = apply(live, second.body as JsonObject, "kubectl-last-applied");
  assert.equal(annotated, live);
});

// What is empty is not stored, though it can be applied.
const data = fc.dictionary(fc.stringMatching(/^[a-d]$/), fc.stringMatching(/^[01]$/), { minKeys: 1 });
const options = { schema: CONFIG_MAP };

test("applyServerSide() twice is the same as once", () => {
  fc.assert(
    fc.property(data, data, data, (first, second, third) => {
      const one = apply(undefined, configMap(first), "a", options);
      const two = apply(one, configMap(second), "b", { ...options, force: true });
      const three = apply(two, configMap(third), "a", { ...options, force: true });
      assert.equal(apply(three, configMap(third), "a", { ...options, now: LATER }), three);
      for (const [name, value] of Object.entries(third)) {
        assert.equal((three["data"] as JsonObject)[name], value);
      }
    }),
  );
});

test("applyServerSide() never claims what isn't there, and lets disjoint managers be", () => {
  const keys = (prefix: string): fc.Arbitrary<JsonObject> =>
    fc.dictionary(
      fc.stringMatching(/^[a-d]$/).map((name) => prefix + name),
      fc.constantFrom("0", "1"),
      { minKeys: 1 },
    );
  fc.assert(
    fc.property(fc.array(fc.tuple(keys("x"), keys("y"))), (rounds) => {
      let object: KubernetesObject | undefined;
      for (const [x, y] of rounds) {
        object = apply(object, configMap(x), "x", options);
        object = apply(object, configMap(y), "y", options);
        const now = (object["data"] ?? {}) as JsonObject;
        assert.deepEqual({ ...now }, { ...x, ...y });
        const claims = Object.values(owned(object)).flatMap((fields) => [
          ...pathsOf(parseFields(fields) ?? fieldSetOf([])),
        ]);
        for (const [, step] of claims) {
          if (step !== undefined) assert.ok(Object.hasOwn(now, step.slice(2)), step);
        }
      }
    }),
  );
});

test("applyServerSide() takes names of prototypes for names, and refuses what is nested too deep", () => {
  const hostile = JSON.parse('{"__proto__":"x","constructor":"y"}') as JsonObject;
  const created = apply(undefined, configMap(hostile), "me", options);
  assert.equal(JSON.stringify(created["data"]), JSON.stringify(hostile));
  assert.equal(JSON.stringify(owned(created)["me"]), '{"f:data":{"f:__proto__":{},"f:constructor":{}}}');
  const gone = apply(
    created,
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } },
    "me",
    options,
  );
  assert.equal(gone["data"], undefined);
  let deep: Json = {};
  for (let at = 0; at < 50_000; at++) deep = { a: deep };
  assert.equal(refusal(() => apply(undefined, configMap({ deep }), "me", options)).code, 400);
});
