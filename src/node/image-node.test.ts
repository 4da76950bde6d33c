import assert from "node:assert/strict";
import { mkdtemp, rename, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";

import { ImageManager, type ImageRuntime, type RuntimeImage } from "../images/index.ts";
import { digestOf } from "../oci/index.ts";
import { FolderSource } from "./folder-source.ts";
import { ImageNode, type NodeChange, type TagChange } from "./image-node.ts";
import type { ContainerState, NodeState } from "./pod-state.ts";

/** Longer than the look that a folder gets now and then where the system has no notices of changes left to give. */
const PATIENCE = { timeout: 180_000 };

/** A runtime whose registry is a map: image to content. */
class MapRuntime implements ImageRuntime {
  readonly remote = new Map<string, string>();
  readonly local = new Map<string, RuntimeImage>();
  readonly pulls: string[] = [];

  async find(image: string): Promise<RuntimeImage | undefined> {
    return this.local.get(image);
  }

  async pull(image: string): Promise<RuntimeImage> {
    this.pulls.push(image);
    const content = this.remote.get(image);
    if (content === undefined) throw new Error(`${image}: not found`);
    const pulled = { id: digestOf(`config ${content}`), digest: digestOf(content), size: content.length };
    this.local.set(image, pulled);
    return pulled;
  }
}

interface World {
  readonly folder: string;
  readonly runtime: MapRuntime;
  readonly pods: FolderSource;
  readonly node: ImageNode;
  readonly changes: NodeChange[];
  readonly clock: { now: number };
  readonly tagChanged: (change: TagChange) => void;
  /** Lets time go by once a next attempt waits for it, and ends every such wait. */
  readonly elapse: (milliseconds: number) => Promise<void>;
  /** Resolves once the state is as wanted. */
  readonly until: (wanted: (state: NodeState) => boolean) => Promise<void>;
  readonly write: (name: string, text: string) => Promise<void>;
}

async function setUp(t: TestContext): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-node-"));
  const runtime = new MapRuntime();
  const clock = { now: 0 };
  const changes: NodeChange[] = [];
  const waits = new Set<() => void>();
  const watchers = new Set<() => void>();
  let tagChanged: (change: TagChange) => void = () => {};
  const pods = new FolderSource({ folder });
  const node = new ImageNode({
    pods,
    secrets: pods,
    images: new ImageManager({ runtime, now: () => clock.now, rate: { qps: 0, burst: 0 } }),
    onChange: (change) => {
      changes.push(change);
      for (const look of watchers) look();
    },
    tagChanges: {
      subscribe: (listener) => {
        tagChanged = listener;
        return () => {};
      },
    },
    random: () => 0,
    wait: (_, signal) =>
      new Promise((resolve, reject) => {
        waits.add(resolve);
        signal.addEventListener("abort", () => {
          waits.delete(resolve);
          reject(signal.reason);
        });
      }),
  });
  t.after(async () => {
    await node.close();
    await rm(folder, { recursive: true });
  });
  return {
    folder,
    runtime,
    pods,
    node,
    changes,
    clock,
    tagChanged: (change) => tagChanged(change),
    elapse: async (milliseconds) => {
      while (waits.size === 0) await nextTurn();
      clock.now += milliseconds;
      for (const resolve of waits) resolve();
      waits.clear();
    },
    until: (wanted) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!wanted(node.state)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      }),
    write: (name, text) => writeFile(join(folder, name), text),
  };
}

function pod(name: string, spec: string): string {
  return `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: ${spec}}\n`;
}

function containers(state: NodeState): ContainerState[] {
  return state.pods.flatMap(({ containers: list }) => list);
}

const settled = (state: NodeState): boolean =>
  containers(state).length > 0 &&
  containers(state).every(({ phase }) => phase !== "waiting" && phase !== "pulling");

test("a node brings the images of a folder's Pods, and says why one can't come", PATIENCE, async (t) => {
  const world = await setUp(t);
  world.runtime.remote.set("good:1", "good");
  await world.write(
    "a.yaml",
    `${pod("web", "{containers: [{name: c, image: 'good:1'}]}")}---\n${pod("bad", "{containers: [{name: c, image: 'bad:1'}]}")}`,
  );
  await world.node.start();
  await world.until(settled);
  assert.deepEqual(
    world.node.state.pods.map(({ name, containers: [c] }) => [
      name,
      c?.phase,
      c?.outcome ?? c?.reason,
      c?.message,
    ]),
    [
      ["bad", "failed", "ErrImagePull", "bad:1: not found"],
      ["web", "ready", "pulled", undefined],
    ],
  );
  assert.equal(containers(world.node.state)[1]?.digest, digestOf("good"));
});

test(
  "a failing init container keeps the others waiting, and an attempt is made again after a while",
  PATIENCE,
  async (t) => {
    const world = await setUp(t);
    world.runtime.remote.set("main:1", "m");
    await world.write(
      "p.yaml",
      pod("p", "{initContainers: [{name: i, image: 'init:1'}], containers: [{name: c, image: 'main:1'}]}"),
    );
    await world.node.start();
    await world.until((state) => containers(state)[0]?.phase === "failed");
    const [, main] = containers(world.node.state);
    assert.deepEqual([main?.phase, main?.reason], ["waiting", "PodInitializing"]);
    await world.elapse(9000);
    await world.until((state) => containers(state)[0]?.reason === "ImagePullBackOff");
    world.runtime.remote.set("init:1", "i");
    await world.elapse(1000);
    await world.until((state) => containers(state).every(({ phase }) => phase === "ready"));
    assert.deepEqual(world.runtime.pulls, ["init:1", "init:1", "main:1"]);
  },
);

test("a node follows edits: files replaced by renaming, changed Pods, removed files", PATIENCE, async (t) => {
  const world = await setUp(t);
  for (const image of ["a:1", "a:2"]) world.runtime.remote.set(image, image);
  await world.node.start();
  assert.equal(world.node.state.pods.length, 0);
  await world.write(".hidden", pod("hidden", "{containers: [{name: c, image: 'a:1'}]}"));
  await rename(join(world.folder, ".hidden"), join(world.folder, "p.yaml"));
  await world.until((state) => containers(state)[0]?.digest === digestOf("a:1"));
  const uid = world.node.state.pods[0]?.uid;
  await world.write("p.yaml", pod("hidden", "{containers: [{name: c, image: 'a:2'}]}"));
  await world.until((state) => containers(state)[0]?.digest === digestOf("a:2"));
  assert.notEqual(world.node.state.pods[0]?.uid, uid);
  await unlink(join(world.folder, "p.yaml"));
  await world.until((state) => state.pods.length === 0);
});

test("a broken file is a problem with a place, and the others go on", PATIENCE, async (t) => {
  const world = await setUp(t);
  world.runtime.remote.set("a:1", "a");
  await world.write("good.yaml", pod("good", "{containers: [{name: c, image: 'a:1'}]}"));
  await world.write("twin.yaml", pod("good", "{containers: [{name: c, image: 'a:1'}]}"));
  await world.write("wrong.yaml", "kind: Pod\nspec: [\n");
  await world.write(
    "deploy.yaml",
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {spec: {containers: [{name: c, image: x}]}}}}",
  );
  await world.node.start();
  await world.until(settled);
  const [deployment, wrong, twin] = world.node.state.problems;
  assert.equal(world.node.state.problems.length, 3);
  assert.match(deployment ?? "", /^deploy\.yaml: a Deployment is not run here/);
  assert.equal(twin, 'Pod "default/good" stands in good.yaml and in twin.yaml: the first one counts');
  assert.match(wrong ?? "", /^wrong\.yaml, line \d+, column \d+: not valid YAML/);
  await unlink(join(world.folder, "wrong.yaml"));
  await unlink(join(world.folder, "twin.yaml"));
  await unlink(join(world.folder, "deploy.yaml"));
  await world.until((state) => state.problems.length === 0);
});

test("a folder that is missing is a problem until it is there", PATIENCE, async (t) => {
  const world = await setUp(t);
  await rm(world.folder, { recursive: true });
  await world.node.start();
  assert.match(world.node.state.problems[0] ?? "", /^Cannot read folder ".*": there is no such folder$/);
  const { mkdir } = await import("node:fs/promises");
  await mkdir(world.folder);
  await world.pods.rescan();
  assert.deepEqual(world.node.state.problems, []);
});

test(
  "a pushed tag is taken up: by Always when it moved, by whoever failed for want of it",
  PATIENCE,
  async (t) => {
    const world = await setUp(t);
    world.runtime.remote.set("r.example/a:1", "one");
    world.runtime.remote.set("r.example/b:1", "one");
    await world.write(
      "p.yaml",
      pod(
        "p",
        "{containers: [{name: always, image: 'r.example/a:1', imagePullPolicy: Always}, {name: kept, image: 'r.example/b:1'}, {name: absent, image: 'r.example/c:1'}]}",
      ),
    );
    await world.node.start();
    await world.until(settled);
    for (const name of ["a", "b", "c"]) world.runtime.remote.set(`r.example/${name}:1`, "two");
    for (const path of ["a", "b", "c"]) {
      world.tagChanged({
        concerns: (reference) =>
          reference.domain === "r.example" && reference.path === path && reference.tag === "1",
      });
    }
    await world.until(
      (state) => containers(state)[0]?.digest === digestOf("two") && containers(state)[2]?.phase === "ready",
    );
    assert.equal(containers(world.node.state)[1]?.digest, digestOf("one"));
  },
);
