/** A small cluster for tests: an API server in memory-fast files, controllers, and a node that runs Pods at once. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type Clock,
  findResource,
  formatTime,
  Informer,
  isRefusal,
  type JsonObject,
  KubernetesClient,
  type KubernetesObject,
  type ResourceClient,
  type Transport,
} from "../../kubernetes/index.ts";
import { systemClock } from "../clock.ts";
import type { ApiServer } from "../running-server.ts";
import { openApiServer } from "../server.ts";
import { isDeleting, listOf, nameOf, specOf, statusOf, textOf, withStatus } from "./objects.ts";
import { nodeOf } from "./pods.ts";
import { startControllers } from "./start-controllers.ts";

export interface Cluster extends AsyncDisposable {
  readonly server: ApiServer;
  readonly client: KubernetesClient;
  /** What went wrong and was tried again. */
  readonly errors: unknown[];
  /** Whether Pods become ready on the node; all do, until told otherwise. */
  becomesReady: (pod: KubernetesObject) => boolean;
  now(): number;
  /** Lets so much time go by, before and after which everybody comes to rest. */
  advance(milliseconds: number): Promise<void>;
  /** Resolves when nobody asks the server for anything any more, other than watches. */
  rest(): Promise<void>;
  of(resource: string): ResourceClient;
  list(resource: string): Promise<readonly KubernetesObject[]>;
  events(): Promise<readonly string[]>;
  /** Sets what a Pod says about itself. */
  say(pod: KubernetesObject, status: JsonObject): Promise<void>;
  /** Waits until this is so; fails when it doesn't come about. */
  until(what: string, isSo: () => Promise<boolean>): Promise<void>;
  /** From now on the controllers hear nothing of Pods. */
  holdPods(): void;
  /** They hear what they missed. */
  releasePods(): void;
  stopControllers(): Promise<void>;
  startControllers(): Promise<void>;
}

const GROUPS = ["", "apps", "batch", "events.k8s.io"];

/** Milliseconds that something which has to come about may take on a machine that has other work, too. */
const PATIENCE = 120_000;
/** Turns of the loop without a request, after which none is to be expected. */
const QUIET_TURNS = 50;

export interface ClusterOptions {
  readonly nodes?: readonly string[];
  /** Lets time go by only when told; a minute's beginning at first. */
  readonly clock?: boolean;
}

export async function openCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), "dray-controllers-"));
  const clock = options.clock === true ? standingClock() : undefined;
  const server = await openApiServer({
    folder,
    ...(clock && { clock: { ...systemClock, now: () => clock.now() } }),
  });
  const answer = server.transport();
  const asked = { count: 0, underWay: 0 };
  const transport: Transport = async (request) => {
    asked.count++;
    asked.underWay++;
    try {
      return await answer(request);
    } finally {
      asked.underWay--;
    }
  };
  const client = new KubernetesClient({ server: "http://embedded", transport, ...(clock && { clock }) });
  const errors: unknown[] = [];
  const stop = new AbortController();
  let controllers = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const of = (resource: string): ResourceClient => {
    const [found] = GROUPS.flatMap((group) => findResource({ group, version: "v1", resource }) ?? []);
    if (found === undefined) throw new TypeError(`no resource ${resource}`);
    return client.resource(found);
  };
  const list = async (resource: string): Promise<readonly KubernetesObject[]> =>
    (await of(resource).listAll({ namespace: resource === "nodes" ? "" : "default" })).items;
  let held: PromiseWithResolvers<void> | undefined;
  const late = new KubernetesClient({
    server: "http://embedded",
    ...(clock && { clock }),
    transport: async (request) => {
      const response = await transport(request);
      const watches = /\/pods\?.*watch=true/v.test(request.url) && response.body !== null;
      if (!watches) return response;
      const slow = new TransformStream<Uint8Array, Uint8Array>({
        transform: async (chunk, controller) => {
          await held?.promise;
          asked.count++;
          controller.enqueue(chunk);
        },
      });
      return new Response(response.body.pipeThrough(slow), {
        status: response.status,
        headers: response.headers,
      });
    },
  });
  const start = async (): Promise<void> => {
    controllers = new AbortController();
    const started = startControllers({
      client: late,
      signal: controllers.signal,
      onError: (error) => errors.push(error),
    });
    running = started.stopped;
    await started.synced;
  };
  const rest = async (): Promise<void> => {
    const end = performance.now() + PATIENCE;
    for (let quiet = 0, seen = asked.count; quiet < QUIET_TURNS; quiet++) {
      await nextTurn();
      if (asked.underWay === 0 && asked.count === seen) continue;
      if (performance.now() > end) throw new Error("they never came to rest", { cause: errors.at(-1) });
      seen = asked.count;
      quiet = 0;
    }
  };
  const cluster: Cluster = {
    server,
    client,
    errors,
    becomesReady: () => true,
    now: () => (clock === undefined ? Date.now() : clock.now()),
    advance: async (milliseconds) => {
      // Whoever is at work may be about to ask to be woken.
      await rest();
      clock?.advance(milliseconds);
      await rest();
    },
    rest,
    of,
    list,
    events: async () =>
      (await list("events")).map((event) => `${textOf(event, "reason")}: ${textOf(event, "message")}`),
    say: async (pod, status) => {
      await of("pods").updateStatus(withStatus(pod, { ...statusOf(pod), ...status }));
    },
    until: async (what, isSo) => {
      const end = performance.now() + PATIENCE;
      while (!(await isSo())) {
        if (performance.now() > end)
          throw new Error(`it never came about that ${what}`, { cause: errors.at(-1) });
        await nextTurn();
      }
    },
    holdPods: () => {
      held ??= Promise.withResolvers();
    },
    releasePods: () => {
      held?.resolve();
      held = undefined;
    },
    startControllers: start,
    stopControllers: async () => {
      controllers.abort();
      await running;
    },
    [Symbol.asyncDispose]: async () => {
      held?.resolve();
      controllers.abort();
      stop.abort();
      await Promise.all([running, kubelet]);
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
  for (const name of options.nodes ?? ["n1"]) {
    await of("nodes").create({ apiVersion: "v1", kind: "Node", metadata: { name, labels: { name } } });
  }
  const kubelet = runKubelet(cluster, stop.signal);
  await start();
  return cluster;
}

interface StandingClock extends Clock {
  advance(milliseconds: number): void;
}

function standingClock(): StandingClock {
  let now = Math.floor(Date.now() / 60_000) * 60_000;
  const waiting = new Set<{ readonly at: number; readonly resolve: () => void }>();
  return {
    now: () => now,
    advance: (milliseconds) => {
      now += milliseconds;
      for (const one of waiting) if (one.at <= now && waiting.delete(one)) one.resolve();
    },
    wait: async (milliseconds, signal) => {
      // Attempts that follow a refusal are not what these tests are about.
      if (milliseconds < 1000) return await nextTurn();
      await new Promise<void>((resolve, reject) => {
        const one = { at: now + milliseconds, resolve };
        waiting.add(one);
        const stop = (): void => {
          waiting.delete(one);
          reject(signal?.reason as Error);
        };
        signal?.addEventListener("abort", stop, { once: true });
      });
    },
  };
}

/** Runs what is bound, ends what is to go. */
async function runKubelet(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const pods = new Informer(cluster.of("pods"));
  const work = new Set<Promise<void>>();
  pods.subscribe(({ type, object }) => {
    if (type === "deleted") return;
    const doing = tend(cluster, object).finally(() => work.delete(doing));
    work.add(doing);
  });
  await pods.run(signal);
  await Promise.all(work);
}

async function tend(cluster: Cluster, pod: KubernetesObject): Promise<void> {
  const { namespace } = pod.metadata;
  try {
    if (isDeleting(pod)) await cluster.of("pods").delete(nameOf(pod), { namespace, gracePeriodSeconds: 0 });
    else if (
      nodeOf(pod) !== undefined &&
      textOf(statusOf(pod), "phase") === "Pending" &&
      cluster.becomesReady(pod)
    ) {
      await cluster.say(pod, runningStatus(pod));
    }
  } catch (error) {
    if (!isRefusal(error, 404) && !isRefusal(error, 409)) cluster.errors.push(error);
  }
}

function runningStatus(pod: KubernetesObject): JsonObject {
  const lastTransitionTime = formatTime(Date.now());
  const condition = (type: string): JsonObject => ({ type, status: "True", lastTransitionTime });
  return {
    phase: "Running",
    conditions: [
      ...listOf(statusOf(pod), "conditions").filter(({ type }) => type !== "Ready"),
      condition("Ready"),
    ],
    containerStatuses: listOf(specOf(pod), "containers").map((container) => ({
      name: textOf(container, "name") ?? "",
      image: textOf(container, "image") ?? "",
      imageID: "",
      ready: true,
      restartCount: 0,
      state: { running: { startedAt: lastTransitionTime } },
    })),
  };
}

/** A template whose Pods carry this label. */
export function templateOf(app: string, image = "app:v1", more: JsonObject = {}): JsonObject {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: "c", image }], ...more } };
}

export function workload(apiVersion: string, kind: string, name: string, spec: JsonObject): KubernetesObject {
  return {
    apiVersion,
    kind,
    metadata: { name, namespace: "default" },
    spec: { selector: { matchLabels: { app: name } }, template: templateOf(name), ...spec },
  };
}
