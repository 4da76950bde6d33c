/** A node between a source of Pods that change in place, somebody who runs containers, and somebody who is told. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { EnsureOutcome, EnsureRequest } from "../images/index.ts";
import { readManifests } from "../kubernetes/index.ts";
import type { ContainerRuntime, PodContainer, StartContainer } from "./container-runtime.ts";
import type { CorrelatedEvent, EventObject } from "./event-correlator.ts";
import { ImageNode } from "./image-node.ts";
import type { NodePod, PodListener } from "./pod-source.ts";
import type { PodStatus } from "./status/pod-status.ts";

/** Runs containers by noting that they run. */
class NotedContainers implements ContainerRuntime {
  readonly runs = new Map<string, PodContainer[]>();
  readonly stopped = new Set<string>();
  #tell: (podUid: string) => void = () => {};

  hasSandbox(uid: string): boolean {
    return this.runs.has(uid) && !this.stopped.has(uid);
  }

  async stopSandbox(uid: string): Promise<void> {
    this.stopped.add(uid);
  }

  async createSandbox({ uid }: NodePod): Promise<void> {
    this.runs.set(uid, []);
  }

  list(uid: string): readonly PodContainer[] {
    return this.runs.get(uid) ?? [];
  }

  async start({ pod, container, imageRef, tell }: StartContainer): Promise<void> {
    const { name, image } = container;
    const restartCount = this.list(pod.uid).filter((other) => other.name === name).length;
    const run = { name, image, imageName: image, imageID: imageRef, restartCount, state: "Running" } as const;
    this.runs.set(pod.uid, [run, ...this.list(pod.uid)]);
    tell({ type: "Normal", reason: "Started", message: "Container started" });
  }

  async kill(uid: string, container: string): Promise<void> {
    this.exit(uid, container, 137);
  }

  remove(uid: string): void {
    this.runs.delete(uid);
  }

  subscribe(listener: (podUid: string) => void): () => void {
    this.#tell = listener;
    return () => {};
  }

  exit(uid: string, container: string, exitCode: number): void {
    const runs = this.runs.get(uid) ?? [];
    const index = runs.findIndex(({ name }) => name === container);
    const run = runs[index];
    if (run !== undefined) runs[index] = { ...run, state: "Exited", exitCode, reason: "Completed" };
  }

  tellOf(uid: string): void {
    this.#tell(uid);
  }
}

interface World {
  readonly node: ImageNode;
  readonly runtime: NotedContainers;
  readonly requests: EnsureRequest[];
  /** Images that can't be had. */
  readonly broken: Set<string>;
  /** Images that come only when they are let. */
  readonly held: Map<string, () => void>;
  readonly set: (spec: string, more?: Partial<NodePod>) => void;
  readonly gone: () => void;
  /** `phase reason` of each status that was written. */
  readonly statuses: string[];
  readonly events: string[];
  readonly written: PodStatus[];
  /** Resolves when the Pod rests. */
  readonly rested: () => Promise<void>;
}

async function setUp(): Promise<World> {
  const runtime = new NotedContainers();
  const requests: EnsureRequest[] = [];
  const broken = new Set<string>();
  const held = new Map<string, () => void>();
  const statuses: string[] = [];
  const written: PodStatus[] = [];
  const events: string[] = [];
  let listener: PodListener | undefined;
  const node = new ImageNode({
    pods: {
      start: async (told) => {
        listener = told;
      },
      close: async () => {},
    },
    secrets: { getSecret: () => Promise.reject(new Error("not found")) },
    images: {
      ensure: async (request) => {
        requests.push(request);
        const hold = held.has(request.image);
        if (hold) await new Promise<void>((resolve) => held.set(request.image, resolve));
        request.signal?.throwIfAborted();
        return outcomeOf(request.image, broken);
      },
      forgetBackOff: () => {},
    },
    runtime,
    sink: {
      status: (_, status) => {
        written.push(status);
        const [container] = status.containerStatuses;
        const [state = {}] = Object.values(container?.state ?? {}) as { reason?: string }[];
        statuses.push(`${status.phase} ${state.reason ?? Object.keys(container?.state ?? {}).join()}`);
      },
      event: ({ kind, name }: EventObject, { reason, held: isHeld }: CorrelatedEvent) => {
        if (!isHeld) events.push(`${kind} ${name} ${reason}`);
      },
    },
    onFailure: (error) => {
      throw error;
    },
    recheckInterval: Infinity,
    now: () => 5000,
    random: () => 0,
    wait: () => new Promise(() => {}),
    name: "lab1",
    hostIP: "10.0.0.10",
  });
  await node.start();
  return {
    node,
    runtime,
    requests,
    broken,
    held,
    statuses,
    written,
    events,
    set: (spec, more = {}) => {
      const text = `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: ${spec}}`;
      const [located] = readManifests(text, { file: "p.yaml" }).pods;
      assert.ok(located, text);
      listener?.podSet({ key: "default/p", uid: "u", pod: located.object, ...more });
    },
    gone: () => listener?.podGone({ key: "default/p", uid: "u" }),
    // All that happens here happens in microtasks.
    rested: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

function outcomeOf(image: string, broken: ReadonlySet<string>): EnsureOutcome {
  if (broken.has(image)) {
    return { state: "failed", decision: undefined, reason: "ErrImagePull", message: `no ${image}` };
  }
  return { state: "present", imageRef: `sha256:${image}` } as unknown as EnsureOutcome;
}

const ONE = "{containers: [{name: c, image: 'a:1'}]}";

test("a Pod's status is written when it comes, has its sandbox, and runs", async () => {
  const world = await setUp();
  world.set(ONE);
  assert.deepEqual(world.statuses, ["Pending ContainerCreating"]);
  await world.rested();
  assert.deepEqual(world.statuses, [
    "Pending ContainerCreating",
    "Pending ContainerCreating",
    "Running running",
  ]);
  assert.deepEqual(
    world.written.map(({ conditions }) => conditions.map(({ status }) => status[0]).join("")),
    ["FTFFT", "TTFFT", "TTTTT"],
  );
  assert.deepEqual(
    [world.written.at(-1)?.hostIP, world.written.at(-1)?.qosClass],
    ["10.0.0.10", "BestEffort"],
  );
  await world.node.close();
});

test("a failure is written at the next look, and that the Pod comes back from its own status wakes nobody", async () => {
  const world = await setUp();
  world.broken.add("a:1");
  world.set(ONE);
  await world.rested();
  assert.equal(world.statuses.at(-1), "Pending ContainerCreating");
  assert.deepEqual(world.events, ["Pod p Failed"]);
  const status = world.written.at(-1);
  world.set(ONE, { status });
  await world.rested();
  assert.equal(world.requests.length, 1);
  world.set(ONE.replace("a:1", "b:1"));
  await world.rested();
  assert.deepEqual(
    world.requests.map(({ image }) => image),
    ["a:1", "b:1"],
  );
  assert.deepEqual(world.statuses.slice(-2), ["Pending ErrImagePull", "Running running"]);
  assert.deepEqual(
    world.node.state.pods[0]?.containers.map(({ image, phase }) => [image, phase]),
    [["b:1", "ready"]],
  );
  await world.node.close();
});

test("an image that changes under a running container replaces it, and one that joins is brought", async () => {
  const world = await setUp();
  world.set(ONE);
  await world.rested();
  world.set("{containers: [{name: c, image: 'a:2'}], ephemeralContainers: [{name: e, image: 'e:1'}]}");
  await world.rested();
  assert.deepEqual(
    world.requests.map(({ image }) => image),
    ["a:1", "e:1", "a:2"],
  );
  const [status] = world.written.at(-1)?.containerStatuses ?? [];
  assert.deepEqual(
    [status?.restartCount, status?.image, status?.lastState.terminated?.exitCode],
    [1, "a:2", 137],
  );
  await world.node.close();
});

test("a container that ends is shown at once and started again, its image ensured anew", async () => {
  const world = await setUp();
  world.set(ONE);
  await world.rested();
  world.runtime.exit("u", "c", 0);
  world.runtime.tellOf("u");
  assert.equal(world.statuses.at(-1), "Running Completed");
  await world.rested();
  assert.equal(world.requests.length, 2);
  assert.equal(world.statuses.at(-1), "Running running");
  await world.node.close();
});

test("a Pod that is over, or being deleted, is left alone", async () => {
  const world = await setUp();
  world.set("{restartPolicy: Never, containers: [{name: c, image: 'a:1'}]}");
  await world.rested();
  world.runtime.exit("u", "c", 3);
  world.runtime.tellOf("u");
  await world.rested();
  assert.equal(world.statuses.at(-1), "Failed Completed");
  assert.deepEqual(
    world.written.slice(-2).map(({ conditions }) => conditions.map(({ status }) => status[0]).join("")),
    ["TTFFT", "FTFFT"],
    "its sandbox is stopped once that is said",
  );
  world.set(ONE, { uid: "other", deleting: true });
  await world.rested();
  assert.equal(world.requests.length, 1);
  await world.node.close();
});

test("what is being pulled for a Pod that goes still comes, and is let go when the node ends", async () => {
  const world = await setUp();
  world.held.set("a:1", () => {});
  world.set(ONE);
  await world.rested();
  world.gone();
  assert.equal(world.requests[0]?.signal?.aborted, false);
  assert.deepEqual(world.node.state.pods, []);
  world.held.get("a:1")?.();
  await world.rested();
  assert.deepEqual(world.runtime.list("u"), [], "nothing is started any more");
  assert.equal(world.statuses.length, 2);

  world.set(ONE, { uid: "v" });
  await world.rested();
  const closed = world.node.close();
  await world.rested();
  assert.equal(world.requests[1]?.signal?.aborted, true);
  world.held.get("a:1")?.();
  await closed;
});

test("events of the node itself are told, counted and kept beside those of Pods", async () => {
  const world = await setUp();
  for (let index = 0; index < 3; index++) {
    world.node.record({ type: "Warning", reason: "ImageGCFailed", message: "no room" });
  }
  assert.deepEqual(
    world.events,
    Array.from({ length: 3 }, () => "Node lab1 ImageGCFailed"),
  );
  assert.deepEqual(
    world.node.state.events.map(({ reason, message, count }) => [reason, message, count]),
    [["ImageGCFailed", "no room", 3]],
  );
  await world.node.close();
});
