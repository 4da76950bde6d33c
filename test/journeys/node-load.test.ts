/**
 * A thousand Pods of a folder want fifty images at once, from a registry that is slow, or that sends most of them away
 * for a while. A whole node, real HTTP and a real store; the clock is the test's, and moves only while nobody has
 * anything to do.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { ConfiguredHosts, RegistryClient } from "../../src/client/index.ts";
import { ImageManager, type ImageManagerOptions, StoreRuntime } from "../../src/images/index.ts";
import type { PullPolicy, PullReport } from "../../src/images/index.ts";
import { FolderSource, ImageNode } from "../../src/node/index.ts";
import { digestOf, MEDIA_TYPES } from "../../src/oci/index.ts";
import { TestRegistry } from "../../src/registry/testing.ts";
import { openStore } from "../../src/store/index.ts";

const PODS = 1000;
const IMAGES = 50;
const PARALLEL = 10;
const BASE_SIZE = 4_000_000;
const LAYER_SIZE = 1_000_000;
const PIECE = 64 * 1024;

/** Milliseconds of waiting that a registry asks for, or nothing. */
type Gate = (now: number) => number | undefined;

interface World {
  /** For manifests. */
  readonly pods: string;
  readonly domain: string;
  readonly clock: Clock;
  /** Times each blob was sent, and answers of 429. */
  readonly sent: Map<string, number>;
  readonly counts: { refused: number; answered: number };
  readonly open: (options: Partial<ImageManagerOptions>) => ImageManager;
}

/** Time that jumps to the next alarm when everybody who isn't asleep has come to rest. */
class Clock {
  now = Date.UTC(2026, 0, 1);
  #busy = 0;
  readonly #sleepers: { readonly until: number; readonly wake: () => void }[] = [];

  /** Work during which time stands still. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#busy--;
      this.#advance();
    }
  }

  async sleepUntil(until: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sleepers.push({ until, wake: resolve });
    this.#advance();
    await promise;
  }

  #advance(): void {
    if (this.#busy > 0) return;
    // A turn later, for whoever has just ended its work and goes to sleep now.
    setImmediate(() => {
      if (this.#busy > 0 || this.#sleepers.length === 0) return;
      this.now = Math.max(this.now, Math.min(...this.#sleepers.map(({ until }) => until)));
      const due = this.#sleepers.filter(({ until }) => until <= this.now);
      const rest = this.#sleepers.filter(({ until }) => until > this.now);
      this.#sleepers.splice(0, Infinity, ...rest);
      for (const { wake } of due) wake();
    });
  }
}

async function setUp(t: TestContext, gate: Gate = () => undefined): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-load-"));
  const pods = join(folder, "pods");
  await mkdir(pods);
  const clock = new Clock();
  const registry = new TestRegistry();
  await fill(registry);
  const sent = new Map<string, number>();
  const counts = { refused: 0, answered: 0 };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "GET", url = "/", headers } = request;
    // As Docker Hub does, which counts manifests and lets content through.
    const wait = url.includes("/manifests/") ? gate(clock.now) : undefined;
    if (wait !== undefined) {
      counts.refused++;
      response.writeHead(429, { "retry-after": String(Math.ceil(wait / 1000)) }).end();
      return;
    }
    counts.answered++;
    const given = await registry.send(method, url, undefined, { accept: headers.accept ?? "*/*" });
    const digest = /\/blobs\/(.*)$/.exec(url)?.[1];
    if (digest !== undefined) sent.set(digest, (sent.get(digest) ?? 0) + 1);
    response.writeHead(given.status, Object.fromEntries(given.headers));
    // Slow: a piece at each turn of the loop, all answers alike.
    const body = Buffer.from(await given.arrayBuffer());
    for (let at = 0; at < body.length; at += PIECE) {
      if (!response.write(body.subarray(at, at + PIECE))) await once(response, "drain");
      await nextTurn();
    }
    response.end();
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const store = await openStore(join(folder, "data"));
  const client = new RegistryClient({
    hosts: new ConfiguredHosts({ defaultScheme: "http" }),
    // How often to ask is the node's business here, not each request's.
    retry: { attempts: 1 },
  });
  t.after(async () => {
    await client.close();
    await store.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await registry[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const runtime = new StoreRuntime({
    store,
    platform: { os: "linux", architecture: "amd64" },
    registry: ({ domain, path }) => client.repository(domain, path),
  });
  return {
    pods,
    domain: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    clock,
    sent,
    counts,
    open: (options) =>
      new ImageManager({
        runtime,
        now: () => clock.now,
        maxParallelPulls: PARALLEL,
        rate: { qps: 0, burst: 0 },
        ...options,
      }),
  };
}

/** Fifty images on one base. */
async function fill(registry: TestRegistry): Promise<void> {
  const blob = async (repository: string, text: string, mediaType: string): Promise<object> => {
    const digest = await registry.pushBlob(repository, text);
    return { mediaType, digest, size: text.length };
  };
  for (let index = 0; index < IMAGES; index++) {
    const repository = `team/app-${index}`;
    const layers = [
      await blob(repository, "base ".repeat(BASE_SIZE / 5), MEDIA_TYPES.ociLayer),
      await blob(
        repository,
        String(index)
          .padStart(5)
          .repeat(LAYER_SIZE / 5),
        MEDIA_TYPES.ociLayer,
      ),
    ];
    const settings = {
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: [digestOf(`${index}`)] },
    };
    const config = await blob(repository, JSON.stringify(settings), MEDIA_TYPES.ociConfig);
    const mediaType = MEDIA_TYPES.ociManifest;
    const manifest = { schemaVersion: 2, mediaType, config, layers };
    const answer = await registry.put(`/v2/${repository}/manifests/1`, manifest, {
      "content-type": mediaType,
    });
    assert.equal(answer.status, 201);
  }
}

/** Files of a hundred Pods each. */
async function writePods(
  { domain, pods }: World,
  options: { readonly policyOf: (pod: number) => PullPolicy; readonly priorityOf: (pod: number) => number },
): Promise<void> {
  const items = Array.from({ length: PODS }, (_, pod) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${pod}` },
    spec: {
      priority: options.priorityOf(pod),
      containers: [
        { name: "c", image: `${domain}/team/app-${pod % IMAGES}:1`, imagePullPolicy: options.policyOf(pod) },
      ],
    },
  }));
  for (let at = 0; at < PODS; at += 100) {
    const list = { apiVersion: "v1", kind: "List", items: items.slice(at, at + 100) };
    await writeFile(join(pods, `${at}.json`), JSON.stringify(list));
  }
}

/** Runs a node until each Pod has its image; returns how often each tried to pull. */
async function runPods(
  world: World,
  manager: ImageManager,
  options: {
    readonly policyOf?: (pod: number) => PullPolicy;
    readonly priorityOf?: (pod: number) => number;
    readonly onReady?: (ready: number) => void;
  } = {},
): Promise<readonly number[]> {
  const { clock } = world;
  const { policyOf = () => "IfNotPresent", priorityOf = () => 0 } = options;
  await writePods(world, { policyOf, priorityOf });
  const all = Promise.withResolvers<void>();
  const ready = new Set<string>();
  let drawn = 0;
  const pods = new FolderSource({ folder: world.pods });
  await using node = new ImageNode({
    pods,
    secrets: pods,
    images: {
      ensure: (request) => clock.during(() => manager.ensure(request)),
      forgetBackOff: (request) => manager.forgetBackOff(request),
    },
    now: () => clock.now,
    wait: (milliseconds) => clock.sleepUntil(clock.now + milliseconds),
    // Looks are spread as evenly as chance would.
    random: () => (drawn++ % 97) / 97,
    recheckInterval: Infinity,
    onChange: (change) => {
      if (change.kind !== "status" || change.pod.status.phase !== "Running") return;
      ready.add(change.pod.name);
      options.onReady?.(ready.size);
      if (ready.size === PODS) all.resolve();
    },
    onFailure: all.reject,
  });
  await clock.during(() => node.start());
  await all.promise;
  return node.state.pods.map(({ events }) => events.find(({ reason }) => reason === "Pulling")?.count ?? 0);
}

/** Bytes in use after a thorough collection. */
const measure = ((): (() => number) => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  return () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
})();

function assertFetchedOnce({ sent }: World): void {
  assert.equal(sent.size, 2 * IMAGES + 1, "a config and a layer of each image, and one base");
  assert.deepEqual(
    [...sent].filter(([, times]) => times > 1),
    [],
  );
}

test(
  "a slow registry sends each blob once, memory stays flat, and nobody is passed over for ever",
  { timeout: 300_000 },
  async (t) => {
    const world = await setUp(t);
    const manager = world.open({ pullOrder: "priority" });
    const arrived: number[] = [];
    const started: number[] = [];
    manager.subscribe(({ id, phase }: PullReport) => {
      if (phase === "queued" && !seen.has(id)) {
        seen.add(id);
        arrived.push(id);
      }
      if (phase === "resolving") started.push(id);
    });
    const seen = new Set<number>();
    const memory: number[] = [];
    const tries = await runPods(world, manager, {
      // One in ten is unimportant, and would wait for all the others.
      priorityOf: (pod) => (pod % 10 === 0 ? -1 : 1000),
      onReady: (ready) => void (ready % 200 === 0 && memory.push(measure())),
    });
    // All came before the first image was here, so each has pulled it, and none more often.
    assert.deepEqual(new Set(tries), new Set([1]));
    assertFetchedOnce(world);
    const growth = Math.max(...memory) - Math.min(...memory);
    assert.ok(growth < 40_000_000, `memory: ${memory.map((bytes) => Math.round(bytes / 1e6)).join(", ")} MB`);
    assert.equal(started.length, PODS);
    const turnOf = new Map(started.map((id, turn) => [id, turn]));
    for (const [place, id] of arrived.entries()) {
      const turn = turnOf.get(id) ?? Infinity;
      assert.ok(turn <= PARALLEL + 4 * (place + 1), `arrived ${place}, started ${turn}`);
    }
  },
);

/** Sixty manifests a minute, and then no more. */
async function setUpLimited(
  t: TestContext,
): Promise<{ readonly world: World; readonly used: Map<number, number> }> {
  const used = new Map<number, number>();
  const world = await setUp(t, (now) => {
    const minute = Math.floor(now / MINUTE);
    const count = used.get(minute) ?? 0;
    if (count >= 60) return (minute + 1) * MINUTE - now;
    used.set(minute, count + 1);
    return undefined;
  });
  return { world, used };
}

const MINUTE = 60_000;
const policyOf = (pod: number): PullPolicy => (pod % 5 === 0 ? "Always" : "IfNotPresent");

test(
  "a registry that answers 429 gets every Pod there by the kubelet's back-off",
  { timeout: 300_000 },
  async (t) => {
    const { world } = await setUpLimited(t);
    await runPods(world, world.open({}), { policyOf });
    assertFetchedOnce(world);
    assert.ok(world.counts.refused > PODS, "though it is asked in vain again and again");
  },
);

test(
  "with a back-off that recovers it is left alone as long as it says, by all its images",
  { timeout: 300_000 },
  async (t) => {
    const { world, used } = await setUpLimited(t);
    const begin = world.clock.now;
    const tries = await runPods(world, world.open({ backOffMode: "recover" }), { policyOf });
    assertFetchedOnce(world);
    const minutes = used.size;
    assert.ok(minutes >= 5, "there was something to wait for");
    // The pulls under way meet the refusal; those behind them are told without asking.
    assert.ok(
      world.counts.refused <= PARALLEL * minutes,
      `${world.counts.refused} refusals in ${minutes} minutes`,
    );
    // Whoever was sent away in the last one comes a minute later, perhaps to find that nothing is left to ask for.
    assert.ok(world.clock.now - begin <= minutes * MINUTE, "no minute went by unused");
    assert.ok(Math.max(...tries) <= minutes + 1, "each asks at most once a minute");
  },
);
