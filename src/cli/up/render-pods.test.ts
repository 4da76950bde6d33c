import assert from "node:assert/strict";
import { test } from "node:test";

import type { ContainerState, NodeState, PodStatus } from "../../node/index.ts";
import { digestOf } from "../../oci/index.ts";
import { createMemoryContext } from "../testing.ts";
import { createStyle } from "../terminal/style.ts";
import { textWidth } from "../terminal/width.ts";
import { createPodView } from "./pod-view.ts";
import { renderPods } from "./render-pods.ts";

const DIGEST = digestOf("image");

function container(state: Partial<ContainerState>): ContainerState {
  return {
    role: "container",
    name: "main",
    image: "localhost:5000/hello:1",
    policy: "IfNotPresent",
    phase: "waiting",
    ...state,
  };
}

const PULLED = container({
  phase: "ready",
  outcome: "pulled",
  digest: DIGEST,
  size: 2_100_000,
  duration: 350,
});
const FAILED = container({
  name: "setup",
  role: "init",
  phase: "failed",
  reason: "ErrImagePull",
  message: 'Cannot find tag "9" in \u001b[31m"localhost:5000/hello": the registry has no such manifest',
});

/** Nothing that is shown here. */
const STATUS: PodStatus = {
  phase: "Pending",
  conditions: [],
  startTime: "2026-01-01T00:00:00Z",
  containerStatuses: [],
  qosClass: "BestEffort",
};

const STATE: NodeState = {
  pods: [
    {
      namespace: "default",
      name: "hello",
      uid: "u",
      file: "a.yaml",
      containers: [PULLED],
      events: [],
      status: STATUS,
    },
    {
      namespace: "team",
      name: "wrong",
      uid: "v",
      file: "b.yaml",
      containers: [FAILED, container({ reason: "PodInitializing" })],
      events: [],
      status: STATUS,
    },
  ],
  events: [],
  problems: ["c.yaml, line 3, column 1: not valid YAML: oops"],
};

const plain = createStyle(createMemoryContext().stdout, {});

test("renderPods() shows a line a container, a failure's reason under it, and what is wrong with files", () => {
  const lines = renderPods(STATE, { width: 140, style: plain });
  assert.deepEqual(lines, [
    "POD         CONTAINER     IMAGE                   POLICY        STATE            DIGEST                 SIZE   TIME",
    `hello       main          localhost:5000/hello:1  IfNotPresent  Pulled           ${DIGEST.slice(0, 19)}  2.1 MB  350ms`,
    "team/wrong  setup (init)  localhost:5000/hello:1  IfNotPresent  ErrImagePull",
    '  └ Cannot find tag "9" in  [31m"localhost:5000/hello": the registry has no such manifest',
    "team/wrong  main          localhost:5000/hello:1  IfNotPresent  PodInitializing",
    "",
    "! c.yaml, line 3, column 1: not valid YAML: oops",
  ]);
});

test("renderPods() fits narrow terminals as far as its columns can shrink", () => {
  for (const line of renderPods(STATE, { width: 100, style: plain })) assert.ok(textWidth(line) <= 100, line);
  assert.deepEqual(renderPods({ pods: [], problems: [] }, { width: 80, style: plain }), ["No Pods yet."]);
});

test("in a pipe a line stands for each change, and progress repeats nothing", () => {
  const context = createMemoryContext();
  const view = createPodView({ context, json: false, node: () => undefined });
  const pod = {
    namespace: "default",
    name: "hello",
    uid: "u",
    file: "a.yaml",
    containers: [],
    events: [],
    status: STATUS,
  };
  for (const bytes of [0, 10, 20]) {
    view.show({
      kind: "container",
      pod,
      container: container({ phase: "pulling", progress: { bytes, total: 20 } }),
    });
  }
  view.show({ kind: "container", pod, container: PULLED });
  view.show({ kind: "problems", problems: ["x is wrong"] });
  view.show({ kind: "problems", problems: ["x is wrong", "y is wrong"] });
  view.show({ kind: "pod-removed", pod });
  view.close();
  assert.deepEqual(context.stdout.text.split("\n"), [
    "hello  main  localhost:5000/hello:1  IfNotPresent  Pulling",
    `hello  main  localhost:5000/hello:1  IfNotPresent  Pulled  ${DIGEST.slice(0, 19)}  2.1 MB  350ms`,
    "hello  Removed",
    "",
  ]);
  assert.equal(context.stderr.text, "x is wrong\ny is wrong\n");
});

test("with --json every change is an object on its own line", () => {
  const context = createMemoryContext({ isTTY: true });
  const view = createPodView({ context, json: true, node: () => undefined });
  view.show({
    kind: "container",
    pod: {
      namespace: "default",
      name: "hello",
      uid: "u",
      file: "a.yaml",
      containers: [],
      events: [],
      status: STATUS,
    },
    container: PULLED,
  });
  const line: unknown = JSON.parse(context.stdout.text);
  assert.deepEqual(line, {
    event: "container",
    namespace: "default",
    pod: "hello",
    file: "a.yaml",
    container: "main",
    role: "container",
    image: "localhost:5000/hello:1",
    policy: "IfNotPresent",
    phase: "ready",
    outcome: "pulled",
    reason: null,
    message: null,
    digest: DIGEST,
    imageRef: null,
    size: 2_100_000,
    durationMs: 350,
    failureKind: null,
    failureCause: null,
    retryAt: null,
  });
});
