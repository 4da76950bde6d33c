import assert from "node:assert/strict";
import { test } from "node:test";

import { type EnsureOutcome, type EnsureRequest, type FailureReason, StartErrors } from "../images/index.ts";
import { EventCorrelator } from "./event-correlator.ts";
import { readFolderObjects, type FolderObjects } from "./folder-objects.ts";
import { NoContainers } from "./no-containers.ts";
import { kubeletPace } from "./pace.ts";
import type { NodePod } from "./pod-source.ts";
import type { ContainerState, PodState } from "./pod-state.ts";
import { PodWorker, type PodWorkerOptions } from "./pod-worker.ts";

interface World {
  readonly requests: EnsureRequest[];
  /** Images that can't be had, and why. */
  readonly broken: Map<string, FailureReason>;
  readonly worker: PodWorker;
  readonly slept: number[];
  /** The state when the worker next rests. */
  readonly rest: () => Promise<PodState>;
  /** Ends its rest, and waits for the next one. */
  readonly again: () => Promise<PodState>;
}

const SUCCESS = {
  state: "present",
  decision: { action: "use", because: "present", access: undefined },
  imageRef: "sha256:1",
  digest: undefined,
  size: 1,
  duration: 0,
  durationWithWaiting: 0,
  message: "",
} as unknown as EnsureOutcome;

function folder(text: string): FolderObjects {
  return readFolderObjects("pods", { files: [{ name: "a.yaml", text }] });
}

/** What a node gives each of its workers. */
function common(objects: FolderObjects): Omit<PodWorkerOptions, "pod" | "images" | "pace"> {
  const correlator = new EventCorrelator({ now: () => 5000 });
  return {
    secrets: {
      getSecret: async (namespace, name) => {
        const secret = objects.secrets.get(`${namespace}/${name}`);
        if (secret === undefined) throw new Error("not found");
        return secret;
      },
    },
    runtime: new NoContainers({ now: () => 5000 }),
    errors: new StartErrors(),
    correlate: ({ uid, key }, text) =>
      correlator.correlate({ kind: "Pod", namespace: "", name: key, uid }, text),
    onChange: () => {},
    onEvent: () => {},
    onStatus: () => {},
    onFailure: (error) => {
      throw error;
    },
    now: () => 5000,
  };
}

function work(objects: FolderObjects, key: string): World {
  const pod = objects.pods.get(key);
  assert.ok(pod, `${key} of ${[...objects.pods.keys()].join()}`);
  const requests: EnsureRequest[] = [];
  const broken = new Map<string, FailureReason>();
  const slept: number[] = [];
  let resting = Promise.withResolvers<void>();
  let wake = (): void => {};
  const worker = new PodWorker({
    pod,
    images: {
      ensure: async (request) => {
        requests.push(request);
        const reason = broken.get(request.image);
        if (reason === undefined) return SUCCESS;
        return { state: "failed", decision: undefined, reason, message: `no ${request.image}` };
      },
      forgetBackOff: () => {},
    },
    ...common(objects),
    pace: kubeletPace({
      random: () => 0,
      wait: (milliseconds) =>
        new Promise((resolve) => {
          slept.push(milliseconds);
          wake = resolve;
          resting.resolve();
        }),
    }),
  });
  const rest = async (): Promise<PodState> => {
    await resting.promise;
    return worker.state;
  };
  const again = async (): Promise<PodState> => {
    await resting.promise;
    resting = Promise.withResolvers();
    wake();
    return await rest();
  };
  return { requests, broken, worker, slept, rest, again };
}

function summary({ containers }: PodState): readonly string[] {
  return containers.map(({ name, phase, reason }: ContainerState) =>
    `${name} ${phase} ${reason ?? ""}`.trim(),
  );
}

const TEAM = `
apiVersion: v1
kind: Secret
metadata: {name: one, namespace: team}
type: kubernetes.io/dockercfg
stringData: {.dockercfg: "{}"}
---
apiVersion: v1
kind: Secret
metadata: {name: two, namespace: team}
type: kubernetes.io/dockercfg
stringData: {.dockercfg: "{}"}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: team}, imagePullSecrets: [{name: two}, {name: gone}]}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: team}, imagePullSecrets: [{name: one}]}
`;

function pod(namespace: string, spec: string): string {
  return `---\n{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: ${namespace}}, spec: ${spec}}\n`;
}

test("a Pod has its own pull secrets, or else its ServiceAccount's, and never another namespace's", async () => {
  const container = "containers: [{name: c, image: 'a:1'}]";
  for (const [namespace, spec, secrets, warning] of [
    ["team", "", ["one"], undefined],
    ["team", "serviceAccountName: robot, ", ["two"], "gone"],
    ["team", "imagePullSecrets: [{name: two}, {name: one}], ", ["two", "one"], undefined],
    ["team", "serviceAccountName: robot, imagePullSecrets: [{name: one}], ", ["one"], undefined],
    ["other", "imagePullSecrets: [{name: one}, {name: x}], ", [], "one, x"],
    ["other", "", undefined, undefined],
  ] as const) {
    const world = work(folder(TEAM + pod(namespace, `{${spec}${container}}`)), `${namespace}/p`);
    world.broken.set("a:1", "ErrImagePull");
    world.worker.start();
    const { events } = await world.rest();
    await world.worker.stop();
    assert.deepEqual(
      world.requests[0]?.pullSecrets?.map(({ name }) => name),
      secrets,
      spec,
    );
    const warnings = events.filter(({ reason }) => reason === "FailedToRetrieveImagePullSecret");
    assert.deepEqual(
      warnings.map(({ message }) => message),
      warning === undefined
        ? []
        : [
            `Unable to retrieve some image pull secrets (${warning}); attempting to pull the image may not succeed.`,
          ],
    );
  }
});

test("a ServiceAccount that stands in no file is a problem, and its Pod runs without secrets", () => {
  const objects = folder(pod("team", "{serviceAccountName: who, containers: [{name: c, image: a}]}"));
  assert.deepEqual(objects.problems, [
    'Pod "team/p" runs without the pull secrets of ServiceAccount "who", which stands in no file',
  ]);
  assert.equal(objects.pods.size, 1);
});

test("a Secret that the API wouldn't keep is a problem, and isn't there; what only the kubelet refuses is kept", () => {
  const secret = (name: string, type: string, data: string): string =>
    `---\n{apiVersion: v1, kind: Secret, metadata: {name: ${name}}, type: kubernetes.io/${type}, stringData: ${data}}\n`;
  const objects = folder(
    [
      secret("text", "dockercfg", '{".dockercfg": "hush"}'),
      secret("list", "dockerconfigjson", '{".dockerconfigjson": "[]"}'),
      secret("empty", "dockerconfigjson", "{}"),
      secret("other-key", "dockercfg", '{".dockerconfigjson": "{}"}'),
      secret("shape", "dockerconfigjson", '{".dockerconfigjson": "{\\"auths\\": \\"x\\"}"}'),
      secret("nothing", "dockercfg", '{".dockercfg": "null"}'),
      "---\n{apiVersion: v1, kind: Secret, metadata: {name: opaque}}\n",
    ].join(""),
  );
  assert.deepEqual([...objects.secrets.keys()], ["default/shape", "default/nothing", "default/opaque"]);
  const redacted = 'Invalid value: "<secret contents redacted>"';
  assert.deepEqual(objects.problems, [
    `a.yaml, line 2: Secret "default/text" is left out: data[.dockercfg]: ${redacted}: invalid character 'h' looking for beginning of value`,
    `a.yaml, line 4: Secret "default/list" is left out: data[.dockerconfigjson]: ${redacted}: json: cannot unmarshal array into Go value of type map[string]interface {}`,
    'a.yaml, line 6: Secret "default/empty" is left out: data[.dockerconfigjson]: Required value',
    'a.yaml, line 8: Secret "default/other-key" is left out: data[.dockercfg]: Required value',
  ]);
});

test("a Pod is another one once its ServiceAccount's secrets are others, and the same when a Secret changes", () => {
  const text = TEAM + pod("team", "{containers: [{name: c, image: a}]}");
  const uid = (changed: string): string | undefined => folder(changed).pods.get("team/p")?.uid;
  assert.equal(uid(text.replace('"{}"', '"{ }"')), uid(text));
  assert.notEqual(uid(text.replace("[{name: one}]", "[{name: two}]")), uid(text));
  const secret = (changed: string): string | undefined => folder(changed).secrets.get("team/one")?.uid;
  assert.equal(secret(text.replace('"{}"', '"{ }"')), secret(text));
});

test("a volume whose image can't be had fails the containers that mount it, and no others", async () => {
  const spec = `{
    volumes: [{name: v, image: {reference: 'v:1', pullPolicy: IfNotPresent}}, {name: w, emptyDir: {}}],
    containers: [
      {name: mounts, image: 'a:1', volumeMounts: [{name: v, mountPath: /v}, {name: w, mountPath: /w}]},
      {name: free, image: 'b:1'}]}`;
  const world = work(folder(pod("default", spec)), "default/p");
  world.broken.set("v:1", "ImagePullBackOff");
  world.worker.start();
  const state = await world.rest();
  assert.deepEqual(summary(state), [
    "v failed ImagePullBackOff",
    "mounts failed ImagePullBackOff",
    "free ready",
  ]);
  assert.equal(state.containers[1]?.message, "no v:1");
  assert.deepEqual(
    state.events.map(({ reason, message, fieldPath }) => [reason, message, fieldPath]),
    [["Failed", "Error: ImagePullBackOff", "spec.containers{mounts}"]],
  );
  world.broken.clear();
  world.broken.set("a:1", "ErrImagePull");
  assert.deepEqual(summary(await world.again()), ["v ready", "mounts failed ErrImagePull", "free ready"]);
  assert.deepEqual(
    world.requests.map(({ image }) => image),
    ["v:1", "b:1", "v:1", "a:1"],
  );
  await world.worker.stop();
});

test("side by side, containers don't wait for each other, and still for init containers", async () => {
  const spec = `{priority: 7, initContainers: [{name: i, image: 'i:1'}],
    containers: [{name: a, image: 'a:1'}, {name: b, image: 'b:1'}]}`;
  for (const [parallel, first] of [
    [false, ["i:1", "a:1"]],
    [true, ["i:1", "a:1", "b:1"]],
  ] as const) {
    const objects = folder(pod("default", spec));
    const started: string[] = [];
    const waiting = Promise.withResolvers<EnsureOutcome>();
    const all = Promise.withResolvers<void>();
    const worker = new PodWorker({
      pod: objects.pods.get("default/p") as NodePod,
      images: {
        ensure: async ({ image, priority }) => {
          assert.equal(priority, 7);
          started.push(image);
          if (started.length === first.length) all.resolve();
          return image === "i:1" ? SUCCESS : await waiting.promise;
        },
        forgetBackOff: () => {},
      },
      ...common(objects),
      pace: kubeletPace({ random: () => 0, wait: () => new Promise(() => {}) }),
      parallel,
    });
    worker.start();
    await all.promise;
    await new Promise(setImmediate);
    assert.deepEqual(started, first);
    waiting.resolve(SUCCESS);
    await worker.stop();
  }
});

test("a back-off that ends while the Pod is being looked at has it looked at once more, at once", async () => {
  const objects = folder(pod("default", "{containers: [{name: c, image: 'a:1'}]}"));
  const looks = [0, 1].map(() => ({
    begun: Promise.withResolvers<void>(),
    outcome: Promise.withResolvers<EnsureOutcome>(),
  }));
  let count = 0;
  const worker = new PodWorker({
    pod: objects.pods.get("default/p") as NodePod,
    images: {
      ensure: async () => {
        const look = looks[count++];
        assert.ok(look);
        look.begun.resolve();
        return await look.outcome.promise;
      },
      forgetBackOff: () => {},
    },
    ...common(objects),
    pace: kubeletPace({ random: () => 0, wait: () => new Promise(() => {}) }),
  });
  worker.start();
  const [first, second] = looks;
  await first?.begun.promise;
  worker.retry("a:1");
  const waiting = {
    state: "failed",
    decision: undefined,
    reason: "ImagePullBackOff",
    message: "wait",
  } as const;
  first?.outcome.resolve(waiting);
  await second?.begun.promise;
  second?.outcome.resolve(SUCCESS);
  await worker.stop();
});

test("ephemeral containers join a Pod at its second look, though its init containers fail", async () => {
  const spec =
    "{initContainers: [{name: i, image: 'i:1'}], containers: [{name: c, image: 'c:1'}], ephemeralContainers: [{name: e, image: 'e:1'}]}";
  const world = work(folder(pod("default", spec)), "default/p");
  world.broken.set("i:1", "ErrImagePull");
  world.worker.start();
  const waiting = "PodInitializing";
  assert.deepEqual(summary(await world.rest()), [
    "i failed ErrImagePull",
    `c waiting ${waiting}`,
    `e waiting ${waiting}`,
  ]);
  assert.deepEqual(summary(await world.again()), [
    "i failed ErrImagePull",
    `c waiting ${waiting}`,
    "e ready",
  ]);
  const { events } = await world.again();
  assert.deepEqual(world.slept, [1000, 10_000, 10_000]);
  assert.deepEqual(events, [
    {
      type: "Warning",
      reason: "Failed",
      message: "Error: ErrImagePull",
      fieldPath: "spec.initContainers{i}",
      count: 3,
      first: 5000,
      last: 5000,
    },
  ]);
  await world.worker.stop();
});
