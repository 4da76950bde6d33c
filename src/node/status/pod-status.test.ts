import assert from "node:assert/strict";
import { test } from "node:test";

import type { Container, RestartPolicy } from "../../kubernetes/index.ts";
import type { PodContainer } from "../container-runtime.ts";
import { containerStep } from "../container-step.ts";
import type { NodePod } from "../pod-source.ts";
import { makePodStatus, type StatusInput } from "./make-pod-status.ts";
import type { PodStatus } from "./pod-status.ts";

const NOW = Date.UTC(2026, 0, 1);

function container(name: string, more: Partial<Container> = {}): Container {
  return { name, image: `r.example/${name}:1`, imagePullPolicy: "IfNotPresent", ...more };
}

interface Given {
  readonly init?: readonly Container[];
  readonly containers?: readonly Container[];
  readonly ephemeral?: readonly Container[];
  readonly restartPolicy?: RestartPolicy;
}

function pod({
  init = [],
  containers = [container("c")],
  ephemeral = [],
  restartPolicy = "Always",
}: Given): NodePod {
  return {
    key: "default/p",
    uid: "u",
    pod: {
      kind: "Pod",
      metadata: { name: "p", namespace: "default", annotations: {} },
      spec: {
        initContainers: init,
        containers,
        ephemeralContainers: ephemeral,
        imageVolumes: [],
        imagePullSecrets: [],
        restartPolicy,
      },
    },
  };
}

/** `c` runs, `c:0` ended with that code. */
function run(text: string, restartCount = 0): PodContainer {
  const [name = "", code] = text.split(":");
  const image = { image: `r.example/${name}:1`, imageName: `r.example/${name}:1`, imageID: `sha256:${name}` };
  if (code === undefined) return { name, ...image, restartCount, state: "Running" };
  return { name, ...image, restartCount, state: "Exited", exitCode: Number(code), reason: "Error" };
}

function status(given: Given, runs: readonly string[], more: Partial<StatusInput> = {}): PodStatus {
  return makePodStatus({
    pod: pod(given),
    history: runs.map((text) => run(text)),
    sandbox: true,
    startError: () => undefined,
    previous: undefined,
    hostIP: undefined,
    now: NOW,
    ...more,
  });
}

const SIDECAR = container("s", { restartPolicy: "Always" });
const INIT = container("i");

test("a Pod's phase follows from what its containers do", () => {
  const two = [container("a"), container("b")];
  const cases: readonly (readonly [phase: string, given: Given, runs: readonly string[]])[] = [
    ["Pending", {}, []],
    ["Running", {}, ["c"]],
    ["Running", {}, ["c:1"]],
    ["Pending", { containers: two }, ["a"]],
    ["Running", { containers: two }, ["a", "b:1"]],
    ["Succeeded", { restartPolicy: "OnFailure" }, ["c:0"]],
    ["Running", { restartPolicy: "OnFailure" }, ["c:1"]],
    ["Failed", { restartPolicy: "Never" }, ["c:1"]],
    ["Succeeded", { restartPolicy: "Never" }, ["c:0"]],
    ["Pending", { init: [INIT] }, []],
    ["Pending", { init: [INIT] }, ["i"]],
    ["Pending", { init: [INIT] }, ["i:0"]],
    ["Pending", { init: [INIT] }, ["i:1"]],
    ["Failed", { init: [INIT], restartPolicy: "Never" }, ["i:1"]],
    ["Running", { init: [INIT] }, ["i:0", "c"]],
    ["Pending", { init: [SIDECAR] }, ["s"]],
    ["Running", { init: [SIDECAR] }, ["s", "c"]],
    ["Running", { init: [SIDECAR] }, ["s:1", "c"]],
    ["Succeeded", { init: [SIDECAR], restartPolicy: "Never" }, ["s:0", "c:0"]],
  ];
  for (const [phase, given, runs] of cases) {
    assert.equal(status(given, runs).phase, phase, `${JSON.stringify(runs)} of ${JSON.stringify(given)}`);
  }
});

test("what is over stays over", () => {
  const previous = status({ restartPolicy: "Never" }, ["c:1"]);
  assert.equal(status({ restartPolicy: "Never" }, [], { previous }).phase, "Failed");
});

test("conditions say which containers are awaited, and keep their time while they stay the same", () => {
  const given = { init: [INIT, SIDECAR], containers: [container("b"), container("a")] };
  const first = status(given, ["i:0"], { sandbox: false, hostIP: "10.0.0.10" });
  const common = { lastProbeTime: null, lastTransitionTime: "2026-01-01T00:00:00Z" };
  const unready = {
    ...common,
    status: "False",
    reason: "ContainersNotReady",
    message: "containers with unready status: [s b a]",
  };
  assert.deepEqual(first.conditions, [
    { type: "PodReadyToStartContainers", ...common, status: "False" },
    {
      type: "Initialized",
      ...common,
      status: "False",
      reason: "ContainersNotInitialized",
      message: "containers with incomplete status: [s]",
    },
    { type: "Ready", ...unready },
    { type: "ContainersReady", ...unready },
    { type: "PodScheduled", ...common, status: "True" },
  ]);
  assert.deepEqual([first.hostIP, first.hostIPs], ["10.0.0.10", [{ ip: "10.0.0.10" }]]);
  const next = status(given, ["a", "s", "i:0"], { previous: first, now: NOW + 5000 });
  assert.deepEqual(
    next.conditions.map(({ type, status: verdict, lastTransitionTime }) => [
      type,
      verdict,
      lastTransitionTime,
    ]),
    [
      ["PodReadyToStartContainers", "True", "2026-01-01T00:00:05Z"],
      ["Initialized", "True", "2026-01-01T00:00:05Z"],
      ["Ready", "False", "2026-01-01T00:00:00Z"],
      ["ContainersReady", "False", "2026-01-01T00:00:00Z"],
      ["PodScheduled", "True", "2026-01-01T00:00:00Z"],
    ],
  );
  assert.equal(next.startTime, "2026-01-01T00:00:00Z");
  const over = status({ restartPolicy: "Never" }, ["c:0"]).conditions.map(({ reason }) => reason);
  assert.deepEqual(over, [undefined, "PodCompleted", "PodCompleted", "PodCompleted", undefined]);
});

test("a status says which specification it is about, and the Pod's addresses", () => {
  const about = { ...pod({}), generation: 7 };
  const podIPs = ["10.88.1.93", "fd00::1"];
  const told = status({}, ["c"], { pod: about, podIPs });
  assert.equal(told.observedGeneration, 7);
  assert.deepEqual(
    new Set(told.conditions.map(({ observedGeneration }) => observedGeneration)),
    new Set([7]),
  );
  assert.deepEqual([told.podIP, told.podIPs], ["10.88.1.93", [{ ip: "10.88.1.93" }, { ip: "fd00::1" }]]);
});

test("a start error shows where a container would start again, each by its own policy", () => {
  const startError = (): { reason: string; message: string } => ({ reason: "ErrImagePull", message: "no" });
  const given = { init: [SIDECAR], ephemeral: [container("e")], restartPolicy: "Never" } as const;
  const told = status(given, ["s:0", "c:1"], { startError });
  const waiting = { waiting: { reason: "ErrImagePull", message: "no" } };
  assert.deepEqual(told.initContainerStatuses?.[0]?.state, waiting, "a sidecar is always started again");
  assert.equal(told.initContainerStatuses?.[0]?.lastState.terminated?.exitCode, 0);
  assert.equal(told.containerStatuses[0]?.state.terminated?.exitCode, 1);
  assert.deepEqual(told.ephemeralContainerStatuses?.[0], {
    name: "e",
    state: waiting,
    lastState: {},
    ready: false,
    restartCount: 0,
    image: "r.example/e:1",
    imageID: "",
  });
});

test("ready and started are said as of the kind of container", () => {
  const flags = (given: Given, runs: readonly string[]): unknown => {
    const { initContainerStatuses = [], containerStatuses } = status(given, runs);
    return [...initContainerStatuses, ...containerStatuses].map(({ ready, started }) => [ready, started]);
  };
  assert.deepEqual(flags({ init: [INIT, SIDECAR] }, ["i"]), [
    [false, true],
    [false, false],
    [false, false],
  ]);
  assert.deepEqual(flags({ init: [INIT, SIDECAR] }, ["c", "s", "i:0"]), [
    [true, false],
    [true, true],
    [true, true],
  ]);
});

test("a container is started, replaced or left by its kind, its last run and the restart policy", () => {
  const step = (
    kind: "init" | "container" | "ephemeral",
    last: string | undefined,
    restartPolicy: RestartPolicy = "Always",
    more: Partial<Container> = {},
  ): string =>
    containerStep({
      kind,
      container: container("c", more),
      newest: last === undefined ? undefined : run(last),
      restartPolicy,
    });
  assert.equal(step("container", undefined, "Never"), "start");
  assert.equal(step("container", "c"), "running");
  assert.equal(step("container", "c", "Never", { image: "r.example/other:1" }), "replace");
  assert.equal(step("container", "c:0"), "start");
  assert.equal(step("container", "c:0", "OnFailure"), "done");
  assert.equal(step("container", "c:1", "OnFailure"), "start");
  assert.equal(step("container", "c:1", "Never"), "done");
  assert.equal(step("container", "c:1", "Never", { restartPolicy: "OnFailure" }), "start");
  assert.equal(step("init", "c"), "running");
  assert.equal(step("init", "c:0"), "done");
  assert.equal(step("init", "c:1"), "start");
  assert.equal(step("init", "c:1", "Never"), "failed");
  assert.equal(step("init", "c:0", "Never", { restartPolicy: "Always" }), "start");
  assert.equal(step("ephemeral", "c:1"), "done");
  assert.equal(step("ephemeral", "c", "Always", { image: "r.example/other:1" }), "running");
});

test("a Pod's quality of service is that of all its containers together, unless the API said it", () => {
  const asking = (limits: Readonly<Record<string, string>>, requests = {}): Container =>
    container("c", { resources: { limits, requests } });
  const qosOf = (given: Given): string => status(given, []).qosClass;
  const whole = { cpu: "500m", memory: "1Gi" };
  assert.equal(qosOf({ containers: [asking({})] }), "BestEffort");
  assert.equal(qosOf({ containers: [asking(whole, { cpu: "0.5", memory: "1024Mi" })] }), "Guaranteed");
  assert.equal(qosOf({ containers: [asking(whole)], init: [asking({ cpu: "1" })] }), "Burstable");
  assert.equal(status({}, [], { pod: { ...pod({}), qosClass: "Burstable" } }).qosClass, "Burstable");
});
