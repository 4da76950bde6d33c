import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { Json, JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { humanDuration } from "./human-duration.ts";
import { toTable } from "./table.ts";

const NOW = Date.parse("2026-11-23T05:00:00Z");

function ago(seconds: number): string {
  return new Date(NOW - seconds * 1000).toISOString().replace(".000", "");
}

function make(kind: string, rest: JsonObject, metadata: JsonObject = {}): KubernetesObject {
  return {
    apiVersion: "v1",
    kind,
    metadata: { name: "it", creationTimestamp: ago(90), ...metadata },
    ...rest,
  };
}

function cells(it: KubernetesObject): Json | undefined {
  const table = toTable(it, [it], { includeObject: "None", now: NOW });
  return (table["rows"] as readonly JsonObject[])[0]?.["cells"];
}

function columns(kind: string): string {
  const table = toTable({ kind }, [], { includeObject: "None", now: NOW });
  const definitions = table["columnDefinitions"] as readonly JsonObject[];
  return definitions.map((one) => `${one["name"] as string}${one["priority"] === 1 ? "*" : ""}`).join(" ");
}

function waiting(name: string, reason: string): JsonObject {
  return { name, restartCount: 0, ready: false, state: { waiting: { reason } } };
}

function running(name: string, restarts = 0): JsonObject {
  const lastState = restarts === 0 ? {} : { terminated: { exitCode: 1, finishedAt: ago(22) } };
  return { name, restartCount: restarts, ready: true, started: true, state: { running: {} }, lastState };
}

function ended(name: string, terminated: JsonObject): JsonObject {
  return { name, restartCount: 0, ready: false, state: { terminated } };
}

const TWO = [{ name: "a" }, { name: "b" }];
const INITIALIZED = [{ type: "Initialized", status: "True" }];

const PODS: readonly (readonly [what: string, spec: JsonObject, status: JsonObject, expected: string])[] = [
  ["nothing reported yet", { containers: TWO }, { phase: "Pending" }, "0/2 Pending 0"],
  [
    "the first container's reason before the second's",
    { containers: TWO },
    { phase: "Pending", containerStatuses: [waiting("a", "ImagePullBackOff"), waiting("b", "ErrImagePull")] },
    "0/2 ImagePullBackOff 0",
  ],
  [
    "one that waits beside one that runs",
    { containers: TWO },
    { phase: "Pending", containerStatuses: [running("a"), waiting("b", "InvalidImageName")] },
    "1/2 InvalidImageName 0",
  ],
  [
    "restarts, and when the last one was",
    { containers: [{ name: "a" }] },
    { phase: "Running", containerStatuses: [running("a", 3)] },
    "1/1 Running 3 (22s ago)",
  ],
  [
    "an init container that can't be pulled",
    { initContainers: TWO, containers: [{ name: "c" }] },
    {
      phase: "Pending",
      initContainerStatuses: [ended("a", { exitCode: 0 }), waiting("b", "ErrImagePull")],
      containerStatuses: [waiting("c", "PodInitializing")],
    },
    "0/1 Init:ErrImagePull 0",
  ],
  [
    "how far initializing has come",
    { initContainers: TWO, containers: [{ name: "c" }] },
    {
      phase: "Pending",
      initContainerStatuses: [ended("a", { exitCode: 0 }), waiting("b", "PodInitializing")],
    },
    "0/1 Init:1/2 0",
  ],
  [
    "an init container that failed without a word",
    { initContainers: TWO, containers: [{ name: "c" }] },
    { phase: "Pending", initContainerStatuses: [ended("a", { exitCode: 3 })] },
    "0/1 Init:ExitCode:3 0",
  ],
  [
    "a sidecar counts among the containers",
    { initContainers: [{ name: "s", restartPolicy: "Always" }], containers: [{ name: "c" }] },
    {
      phase: "Running",
      conditions: INITIALIZED,
      initContainerStatuses: [running("s")],
      containerStatuses: [running("c")],
    },
    "2/2 Running 0",
  ],
  [
    "all have ended well",
    { containers: [{ name: "a" }] },
    { phase: "Succeeded", containerStatuses: [ended("a", { exitCode: 0, reason: "Completed" })] },
    "0/1 Completed 0",
  ],
  [
    "one has ended, the Pod goes on",
    { containers: TWO },
    {
      phase: "Running",
      conditions: [{ type: "Ready", status: "False" }],
      containerStatuses: [ended("a", { exitCode: 0, reason: "Completed" }), running("b")],
    },
    "1/2 NotReady 0",
  ],
  [
    "killed by a signal",
    { containers: [{ name: "a" }] },
    { phase: "Failed", containerStatuses: [ended("a", { exitCode: 137, signal: 9 })] },
    "0/1 Signal:9 0",
  ],
];

describe("toTable() of Pods", () => {
  for (const [what, spec, status, expected] of PODS) {
    test(`shows ${what}`, () => {
      const [, ready, word, restarts] = cells(make("Pod", { spec, status })) as readonly string[];
      assert.equal([ready, word, restarts].join(" "), expected);
    });
  }

  test("says Terminating for a Pod that is being deleted, and its own end once it has ended", () => {
    const deleted = { deletionTimestamp: ago(1) };
    const statusOf = (phase: string): Json | undefined =>
      (cells(make("Pod", { spec: {}, status: { phase } }, deleted)) as readonly Json[])[2];
    assert.equal(statusOf("Running"), "Terminating");
    assert.equal(statusOf("Failed"), "Failed");
  });

  test("has the places in its wide columns", () => {
    const spec = { containers: [], nodeName: "lab1", readinessGates: [{ conditionType: "x" }] };
    const status = { podIPs: [{ ip: "10.0.0.1" }], conditions: [{ type: "x", status: "True" }] };
    const wide = (cells(make("Pod", { spec, status })) as readonly Json[]).slice(5);
    assert.deepEqual(wide, ["10.0.0.1", "lab1", "<none>", "1/1"]);
  });
});

const TEMPLATE = {
  spec: {
    containers: [
      { name: "c", image: "app:1" },
      { name: "d", image: "other" },
    ],
  },
};
const SELECTOR = {
  matchLabels: { b: "2", a: "1" },
  matchExpressions: [
    { key: "c", operator: "NotIn", values: ["y", "x"] },
    { key: "d", operator: "Exists" },
  ],
};
const FORMATTED = ["c,d", "app:1,other", "a=1,b=2,c notin (x,y),d"];

const OTHERS: readonly (readonly [it: KubernetesObject, expected: readonly Json[]])[] = [
  [
    make("Deployment", {
      spec: { replicas: 2, template: TEMPLATE, selector: SELECTOR },
      status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 },
    }),
    ["it", "1/2", 2, 1, "90s", ...FORMATTED],
  ],
  [
    make("ReplicaSet", {
      spec: { replicas: 3, template: TEMPLATE, selector: SELECTOR },
      status: { replicas: 2 },
    }),
    ["it", 3, 2, 0, "90s", ...FORMATTED],
  ],
  [
    make("ReplicationController", { spec: { replicas: 1, template: TEMPLATE, selector: { a: "1" } } }),
    ["it", 1, 0, 0, "90s", "c,d", "app:1,other", "a=1"],
  ],
  [
    make("StatefulSet", { spec: { replicas: 1, template: TEMPLATE } }),
    ["it", "0/1", "90s", "c,d", "app:1,other"],
  ],
  [
    make("DaemonSet", { spec: { template: TEMPLATE, selector: SELECTOR }, status: { numberReady: 1 } }),
    ["it", 0, 0, 1, 0, 0, "<none>", "90s", ...FORMATTED],
  ],
  [
    make("Job", {
      spec: { completions: 2, template: TEMPLATE, selector: SELECTOR },
      status: { succeeded: 1, startTime: ago(60) },
    }),
    ["it", "Running", "1/2", "60s", "90s", ...FORMATTED],
  ],
  [
    make("CronJob", {
      spec: { schedule: "@daily", suspend: false, jobTemplate: { spec: { template: TEMPLATE } } },
      status: { lastScheduleTime: ago(3600), active: [{}] },
    }),
    ["it", "@daily", "<none>", "False", 1, "60m", "90s", "c,d", "app:1,other", "<none>"],
  ],
  [make("Secret", { type: "Opaque", data: { a: "", b: "" } }), ["it", "Opaque", 2, "90s"]],
  [make("ServiceAccount", {}), ["it", 0, "90s"]],
  [make("ConfigMap", { data: { a: "" }, binaryData: { b: "" } }), ["it", 2, "90s"]],
  [make("Namespace", { status: { phase: "Active" } }), ["it", "Active", "90s"]],
  [make("Lease", { spec: { holderIdentity: "me" } }), ["it", "me", "90s"]],
  [
    make(
      "Node",
      {
        spec: { unschedulable: true },
        status: {
          conditions: [{ type: "Ready", status: "True" }],
          addresses: [{ type: "InternalIP", address: "10.0.0.10" }],
          nodeInfo: { kubeletVersion: "v1", kernelVersion: "6.1", architecture: "amd64" },
        },
      },
      { labels: { "node-role.kubernetes.io/worker": "" } },
    ),
    [
      "it",
      "Ready,SchedulingDisabled",
      "worker",
      "90s",
      "v1",
      "10.0.0.10",
      "<none>",
      "<unknown>",
      "6.1 (amd64)",
      "<unknown>",
    ],
  ],
  [
    make("Event", {
      involvedObject: { kind: "Pod", name: "web", fieldPath: "spec.containers{c}" },
      type: "Warning",
      reason: "Failed",
      message: "Error: ErrImagePull\n",
      source: { component: "kubelet", host: "lab1" },
      firstTimestamp: ago(300),
      lastTimestamp: ago(8),
      count: 4,
    }),
    [
      "8s",
      "Warning",
      "Failed",
      "pod/web",
      "spec.containers{c}",
      "kubelet, lab1",
      "Error: ErrImagePull",
      "5m",
      4,
      "it",
    ],
  ],
  [
    make("Event", {
      regarding: { kind: "Node", name: "lab1" },
      note: "hello",
      eventTime: ago(8),
      reportingController: "dray",
    }),
    ["8s", "", "", "node/lab1", "", "dray", "hello", "8s", 1, "it"],
  ],
];

describe("toTable() of other kinds", () => {
  for (const [it, expected] of OTHERS) {
    test(`gives a ${it.kind} its cells, as many as it has columns`, () => {
      assert.deepEqual(cells(it), expected);
      assert.equal(columns(it.kind).split(" ").length >= expected.length, true);
    });
  }

  test("names the columns as kubectl's users know them, a star for those of wide output", () => {
    assert.equal(columns("Pod"), "Name Ready Status Restarts Age IP* Node* Nominated Node* Readiness Gates*");
    assert.equal(columns("Secret"), "Name Type Data Age");
    assert.equal(columns("Deployment"), "Name Ready Up-to-date Available Age Containers* Images* Selector*");
  });

  test("tells the columns of a watch once, and gives as much of each object as was asked for", () => {
    const it = make("Secret", { data: { a: "eA==" } });
    const later = toTable(it, [it], { includeObject: "Metadata", now: NOW, withColumns: false });
    assert.equal(later["columnDefinitions"], null);
    const [row] = later["rows"] as readonly { readonly object: JsonObject }[];
    assert.deepEqual(Object.keys(row?.object ?? {}), ["kind", "apiVersion", "metadata"]);
    assert.equal(row?.object["kind"], "PartialObjectMetadata");
    const full = toTable(it, [it], { includeObject: "Object", now: NOW });
    assert.equal((full["rows"] as readonly JsonObject[])[0]?.["object"], it);
  });
});

test("a scale has columns of its own, whatever it is of", () => {
  const scale = make("Scale", { spec: { replicas: 3 }, status: { replicas: 2 } });
  const table = toTable({ kind: "Deployment" }, [scale], { includeObject: "None", now: NOW });
  const columns = table["columnDefinitions"] as readonly { readonly name: string }[];
  assert.deepEqual(
    columns.map(({ name }) => name),
    ["Name", "Desired", "Available", "Age"],
  );
  const [row] = table["rows"] as readonly { readonly cells: readonly unknown[] }[];
  assert.deepEqual(row?.cells.slice(1, 3), [3, 2]);
});

describe("humanDuration()", () => {
  const cases: readonly (readonly [seconds: number, expected: string])[] = [
    [-2, "<invalid>"],
    [-1, "0s"],
    [0, "0s"],
    [119, "119s"],
    [120, "2m"],
    [181, "3m1s"],
    [600, "10m"],
    [3 * 3600 - 1, "179m"],
    [3 * 3600, "3h"],
    [3 * 3600 + 60, "3h1m"],
    [8 * 3600, "8h"],
    [47 * 3600 + 3599, "47h"],
    [48 * 3600, "2d"],
    [49 * 3600, "2d1h"],
    [8 * 86400, "8d"],
    [2 * 365 * 86400, "2y"],
    [(2 * 365 + 3) * 86400, "2y3d"],
    [9 * 365 * 86400, "9y"],
  ];
  for (const [seconds, expected] of cases) {
    test(`says ${expected} for ${seconds} seconds`, () => {
      assert.equal(humanDuration(seconds * 1000), expected);
    });
  }
});
