import assert from "node:assert/strict";
import { test } from "node:test";

import type { Json, JsonObject } from "../objects/object.ts";
import { StatusError } from "../objects/status.ts";
import { applyStrategicMergePatch } from "./strategic-merge.ts";

const POD = "io.k8s.api.core.v1.Pod";
const NODE = "io.k8s.api.core.v1.Node";
const DEPLOYMENT = "io.k8s.api.apps.v1.Deployment";
const SERVICE_ACCOUNT = "io.k8s.api.core.v1.ServiceAccount";

function podSpec(spec: JsonObject, patch: JsonObject): Json | undefined {
  return applyStrategicMergePatch({ spec }, { spec: patch }, POD)["spec"];
}

function refusal(
  object: JsonObject,
  patch: Json,
  schema: string = POD,
): [number | undefined, string | undefined] {
  try {
    applyStrategicMergePatch(object, patch, schema);
  } catch (error) {
    assert.ok(error instanceof StatusError);
    return [error.status.code, error.status.message];
  }
  assert.fail("applied");
}

const containers = [
  { name: "c", image: "app:v1", imagePullPolicy: "IfNotPresent" },
  { name: "d", image: "app", imagePullPolicy: "Always" },
];

test("applyStrategicMergePatch() merges containers by name", () => {
  assert.deepEqual(podSpec({ containers }, { containers: [{ name: "d", image: "app:latest" }] }), {
    containers: [
      { name: "d", image: "app:latest", imagePullPolicy: "Always" },
      { name: "c", image: "app:v1", imagePullPolicy: "IfNotPresent" },
    ].toReversed(),
  });
  assert.deepEqual(podSpec({ containers }, { containers: [{ name: "c", imagePullPolicy: null }] }), {
    containers: [{ name: "c", image: "app:v1" }, containers[1]],
  });
});

test("applyStrategicMergePatch() puts what is new before what the server has", () => {
  assert.deepEqual(podSpec({ imagePullSecrets: [{ name: "s" }] }, { imagePullSecrets: [{ name: "t" }] }), {
    imagePullSecrets: [{ name: "t" }, { name: "s" }],
  });
});

test("applyStrategicMergePatch() replaces lists that are atomic, directives and all", () => {
  const patch = { imagePullSecrets: [{ name: "regcred", $patch: "delete" }] };
  assert.deepEqual(
    applyStrategicMergePatch({ imagePullSecrets: [{ name: "x" }] }, patch, SERVICE_ACCOUNT),
    patch,
  );
  assert.deepEqual(podSpec({ tolerations: [{ key: "a" }, { key: "b" }] }, { tolerations: [{ key: "c" }] }), {
    tolerations: [{ key: "c" }],
  });
});

test("applyStrategicMergePatch() deletes and replaces items where a directive says so", () => {
  assert.deepEqual(podSpec({ containers }, { containers: [{ name: "c", $patch: "delete" }] }), {
    containers: [containers[1]],
  });
  assert.deepEqual(
    podSpec({ containers }, { containers: [{ $patch: "replace" }, { name: "e", image: "e" }] }),
    { containers: [{ name: "e", image: "e" }] },
  );
  assert.deepEqual(podSpec({ nodeSelector: { a: "b" } }, { nodeSelector: { $patch: "replace", c: "d" } }), {
    nodeSelector: { c: "d" },
  });
  assert.deepEqual(podSpec({ securityContext: { fsGroup: 1 } }, { securityContext: { $patch: "delete" } }), {
    securityContext: {},
  });
});

test("applyStrategicMergePatch() retains the keys that a patch names, in volumes as kubectl sends them", () => {
  const volumes = [{ name: "v", emptyDir: {} }];
  const patch = { volumes: [{ name: "v", $retainKeys: ["name", "secret"], secret: { secretName: "s" } }] };
  assert.deepEqual(podSpec({ volumes }, patch), { volumes: [{ name: "v", secret: { secretName: "s" } }] });
  assert.deepEqual(
    applyStrategicMergePatch(
      { spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } } },
      { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } },
      DEPLOYMENT,
    ),
    { spec: { strategy: { type: "Recreate" } } },
  );
});

test("applyStrategicMergePatch() orders lists as $setElementOrder says", () => {
  const list = ["a", "b", "c", "d"].map((name) => ({ name, image: name }));
  const order = (...names: string[]): Json[] => names.map((name) => ({ name }));
  const names = (patch: JsonObject): Json =>
    (podSpec({ containers: list }, patch) as { containers: { name: string }[] }).containers.map(
      (one) => one.name,
    );
  assert.deepEqual(names({ "$setElementOrder/containers": order("d", "c", "b", "a") }), ["d", "c", "b", "a"]);
  // Those that the patch doesn't name stay before what they stood before.
  assert.deepEqual(names({ "$setElementOrder/containers": order("c", "a") }), ["b", "c", "a", "d"]);
  assert.deepEqual(
    names({
      "$setElementOrder/containers": order("n", "a"),
      containers: [
        { name: "n", image: "n" },
        { name: "b", $patch: "delete" },
      ],
    }),
    ["n", "a", "c", "d"],
  );
});

test("applyStrategicMergePatch() merges lists of plain values as sets", () => {
  const metadata = { finalizers: ["a", "b"] };
  const finalizers = (patch: JsonObject): Json | undefined =>
    (applyStrategicMergePatch({ metadata }, { metadata: patch }, POD)["metadata"] as JsonObject)[
      "finalizers"
    ];
  assert.deepEqual(finalizers({ finalizers: ["c", "a"] }), ["c", "a", "b"]);
  assert.deepEqual(finalizers({ "$deleteFromPrimitiveList/finalizers": ["a", "z"] }), ["b"]);
  assert.deepEqual(finalizers({ "$setElementOrder/finalizers": ["c", "b"], finalizers: ["c"] }), [
    "c",
    "a",
    "b",
  ]);
  assert.deepEqual(applyStrategicMergePatch({ spec: {} }, { spec: { podCIDRs: ["x"] } }, NODE), {
    spec: { podCIDRs: ["x"] },
  });
});

test("applyStrategicMergePatch() takes what is new without nulls and directives", () => {
  const patch = {
    securityContext: { $retainKeys: ["x"], seLinuxOptions: null, fsGroup: 1 },
    initContainers: [{ name: "i", image: "i", env: null, $setElementOrder: [] }],
    nodeSelector: { $patch: "merge", a: "b" },
  };
  assert.deepEqual(podSpec({}, patch), {
    securityContext: { fsGroup: 1 },
    initContainers: [{ name: "i", image: "i" }],
    nodeSelector: { a: "b" },
  });
  assert.deepEqual(podSpec({}, { nodeSelector: { $patch: "delete" } }), {});
});

test("applyStrategicMergePatch() says what is wrong in the API server's words", () => {
  const object = { spec: { containers } };
  const cases: [spec: JsonObject, code: number, message: string][] = [
    [{ containers: [{ image: "x" }] }, 500, "map: map[image:x] does not contain declared merge key: name"],
    [
      { containers: [{ $patch: "delete" }] },
      500,
      "map: map[$patch:delete] does not contain declared merge key: name",
    ],
    [{ $patch: "nosuch" }, 500, "unknown patch type: nosuch in map: map[$patch:nosuch]"],
    [{ containers: ["x"] }, 500, "list element types are not identical"],
    [{ $retainKeys: "x" }, 400, "invalid patch format of retainKeys"],
    [{ $retainKeys: ["a"], b: 1 }, 400, "invalid patch format of retainKeys"],
    [{ $setElementOrder: [] }, 400, "invalid patch format of setElementOrder list"],
    [{ $deleteFromPrimitiveList: [] }, 400, "invalid patch format of primitive list"],
    [
      { "$setElementOrder/nosuch": [] },
      500,
      'unable to find api field in struct PodSpec for the json field "nosuch"',
    ],
    [
      { "$setElementOrder/containers": [{ name: "d" }], containers: [{ name: "c" }] },
      500,
      "The order in patch list:\n[map[name:c]]\n doesn't match $setElementOrder list:\n[map[name:d]]\n",
    ],
  ];
  for (const [spec, code, message] of cases) {
    assert.deepEqual(refusal(object, { spec }), [code, message]);
  }
  assert.equal(refusal(object, [])[0], 400);
});

test("applyStrategicMergePatch() leaves the object alone, and names of prototypes are names", () => {
  const object = { metadata: { labels: { a: "b" } }, spec: { containers } };
  const before = structuredClone(object);
  const patch = JSON.parse('{"metadata":{"labels":{"__proto__":"x","constructor":"y"}}}') as JsonObject;
  const merged = applyStrategicMergePatch(object, patch, POD);
  assert.equal(JSON.stringify(merged["metadata"]), '{"labels":{"a":"b","__proto__":"x","constructor":"y"}}');
  applyStrategicMergePatch(object, { spec: { containers: [{ name: "c", image: null }] } }, POD);
  assert.deepEqual(object, before);
});
