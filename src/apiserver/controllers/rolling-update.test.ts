import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { deadlineIn, deploymentStatus } from "./deployment-status.ts";
import { resolveCount } from "./counts.ts";
import { withStatus } from "./objects.ts";
import { nextNewSize, proportional, shrinkOld, surplusHistory } from "./rolling-update.ts";

let age = 0;

function set(
  name: string,
  replicas: number,
  available: number,
  more: Partial<KubernetesObject["metadata"]> = {},
): KubernetesObject {
  const creationTimestamp = new Date(Date.UTC(2026, 0, 1) + ++age * 1000).toISOString();
  const metadata = { name, uid: name, generation: 1, creationTimestamp, ...more };
  const status = { replicas, availableReplicas: available, readyReplicas: available, observedGeneration: 1 };
  return { apiVersion: "apps/v1", kind: "ReplicaSet", metadata, spec: { replicas }, status };
}

function deployment(
  replicas: number,
  maxSurge: number | string,
  maxUnavailable: number | string,
  more: JsonObject = {},
): KubernetesObject {
  const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d", generation: 1 },
    spec: { replicas, strategy, ...more },
  };
}

function sizes(resizes: readonly { readonly set: KubernetesObject; readonly replicas: number }[]): object {
  return Object.fromEntries(resizes.map((one) => [one.set.metadata.name ?? "", one.replicas]));
}

test("counts are numbers or percents, rounded as told", () => {
  assert.deepEqual(
    [3, "25%", "0%", "x", undefined].map((value) => [
      resolveCount(value, 10, "up"),
      resolveCount(value, 10, "down"),
    ]),
    [
      [3, 3],
      [3, 2],
      [0, 0],
      [0, 0],
      [0, 0],
    ],
  );
});

test("the new ReplicaSet grows by the surge that is left", () => {
  const cases: readonly (readonly [
    replicas: number,
    surge: number | string,
    old: number,
    now: number,
    next: number,
  ])[] = [
    [10, 0, 10, 0, 0],
    [10, 2, 10, 0, 2],
    [10, 2, 5, 2, 7],
    [10, "25%", 10, 0, 3],
    [3, 5, 0, 0, 3],
    [2, 0, 3, 0, 0],
  ];
  for (const [replicas, surge, old, now, next] of cases) {
    const current = set("new", now, now);
    const grown = nextNewSize(deployment(replicas, surge, 1), [set("old", old, old), current], now);
    assert.equal(grown, next, JSON.stringify([replicas, surge, old, now]));
  }
});

test("old ReplicaSets shrink as far as enough stays available, the broken ones first", () => {
  const it = deployment(10, 2, 2);
  assert.deepEqual(sizes(shrinkOld(it, set("new", 0, 0), [set("a", 10, 10)])), { a: 8 });
  assert.deepEqual(sizes(shrinkOld(it, set("new", 4, 0), [set("a", 8, 8)])), {});
  assert.deepEqual(sizes(shrinkOld(it, set("new", 4, 4), [set("a", 5, 5), set("b", 3, 3)])), { a: 1 });
  assert.deepEqual(sizes(shrinkOld(it, set("new", 2, 0), [set("a", 8, 8), set("b", 2, 0)])), { b: 0 });
  assert.deepEqual(sizes(shrinkOld(it, set("new", 10, 10), [set("a", 2, 2)])), { a: 0 });
  assert.deepEqual(sizes(shrinkOld(deployment(1, 0, 0), set("new", 0, 0), [set("a", 1, 1)])), { a: 0 });
});

test("a difference in size is shared by size, and nothing is lost by rounding", () => {
  const max = (replicas: number): object => ({
    annotations: { "deployment.kubernetes.io/max-replicas": String(replicas) },
  });
  const it = deployment(20, 0, 1);
  const shared = proportional(it, [set("a", 7, 7, max(10)), set("b", 3, 3, max(10))]);
  assert.deepEqual(sizes(shared), { a: 14, b: 6 });
  const odd = proportional(deployment(5, 0, 1), [
    set("a", 4, 4, max(10)),
    set("b", 3, 3, max(10)),
    set("c", 3, 3, max(10)),
  ]);
  assert.equal(
    odd.reduce((sum, { replicas }) => sum + replicas, 0),
    5,
  );
  assert.deepEqual(
    sizes(proportional(deployment(0, 1, 1), [set("a", 2, 2, max(3)), set("b", 1, 1, max(3))])),
    { a: 0, b: 0 },
  );
});

test("history goes from the oldest on, and only what has no Pods", () => {
  const old = [set("a", 0, 0), set("b", 1, 1), set("c", 0, 0), set("d", 0, 0)];
  assert.deepEqual(
    surplusHistory(old, 2).map(({ metadata }) => metadata.name),
    ["a", "c"],
  );
  assert.deepEqual(surplusHistory(old, 10), []);
});

test("a rollout that stands still longer than its deadline has failed, and says so once", () => {
  const start = Date.UTC(2026, 0, 1);
  const it = deployment(1, 1, 0, { progressDeadlineSeconds: 60, template: { spec: {} } });
  const newSet = { ...set("d-x", 1, 0), spec: { replicas: 1, template: { metadata: {}, spec: {} } } };
  const at = (now: number, before: KubernetesObject, created?: string): KubernetesObject => {
    const sets = [created === undefined ? newSet : withStatus(newSet, {})];
    return withStatus(before, deploymentStatus({ deployment: before, newSet: sets[0], sets, now, created }));
  };
  const progressing = (object: KubernetesObject): unknown => {
    const { conditions } = object["status"] as { conditions: readonly JsonObject[] };
    return conditions.find(({ type }) => type === "Progressing");
  };
  const created = at(start, it, "d-x");
  const moved = at(start + 10_000, created);
  assert.deepEqual(progressing(moved), {
    type: "Progressing",
    status: "True",
    lastUpdateTime: "2026-01-01T00:00:10Z",
    lastTransitionTime: "2026-01-01T00:00:00Z",
    reason: "ReplicaSetUpdated",
    message: 'ReplicaSet "d-x" is progressing.',
  });
  assert.equal(deadlineIn(moved, start + 10_000), 61_000);
  const waiting = at(start + 70_000, moved);
  assert.deepEqual(waiting, moved);
  const failed = at(start + 71_000, waiting);
  assert.deepEqual(progressing(failed), {
    type: "Progressing",
    status: "False",
    lastUpdateTime: "2026-01-01T00:01:11Z",
    lastTransitionTime: "2026-01-01T00:01:11Z",
    reason: "ProgressDeadlineExceeded",
    message: 'ReplicaSet "d-x" has timed out progressing.',
  });
  assert.equal(deadlineIn(failed, start + 71_000), undefined);
  assert.deepEqual(at(start + 500_000, failed), failed);
});
