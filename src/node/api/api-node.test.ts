/** A node that lives on the Kubernetes API: ours, in this process. */
import assert from "node:assert/strict";
import { mkdtemp, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";

import { openApiServer } from "../../apiserver/index.ts";
import { ImageManager, type ImageRuntime, type RuntimeImage } from "../../images/index.ts";
import { digestOf } from "../../oci/index.ts";
import { type JsonObject, KubernetesClient, type KubernetesObject } from "../../kubernetes/index.ts";
import { FolderSource } from "../folder-source.ts";
import { ImageNode } from "../image-node.ts";
import { ApiSink } from "./api-sink.ts";
import { ApiSource, resource } from "./api-source.ts";
import { ApiTokenIssuer } from "./api-token-issuer.ts";
import { MirrorPods, mirrorSource } from "./mirror-pods.ts";
import { type NodeFacts, NodeRegistration } from "./node-registration.ts";
import { PodSources, SecretLookups } from "./pod-sources.ts";

const FACTS: NodeFacts = {
  os: "linux",
  architecture: "amd64",
  hostname: "lab1",
  address: "10.0.0.10",
  processors: 2,
  memory: 2 ** 31,
  kernelVersion: "6.1",
  osImage: "Test",
  machineId: "m",
  bootId: "b",
  kubeletVersion: "v1.36.2",
  runtimeVersion: "dray://0",
};

/** Longer than the look that a folder gets now and then where the system has no notices of changes left to give. */
const PATIENCE = { timeout: 180_000 };

/** A runtime whose registry is a set of names. */
class NamedImages implements ImageRuntime {
  readonly remote = new Set(["app:1"]);
  readonly #local = new Map<string, RuntimeImage>();

  async find(image: string): Promise<RuntimeImage | undefined> {
    return this.#local.get(image);
  }

  async pull(image: string): Promise<RuntimeImage> {
    if (!this.remote.has(image)) throw new Error(`${image}: not found`);
    const pulled = { id: digestOf(`config ${image}`), digest: digestOf(image), size: 5 };
    this.#local.set(image, pulled);
    return pulled;
  }
}

type Watched = "pods" | "events" | "nodes";

interface World {
  readonly client: KubernetesClient;
  readonly folder: string;
  readonly images: NamedImages;
  /** Runs a node until the test ends. */
  readonly start: () => Promise<void>;
  readonly pod: (name: string, image: string) => Promise<KubernetesObject>;
  /** Lets time go by once a next attempt waits for it, and ends every such wait. */
  readonly elapse: (milliseconds: number) => Promise<void>;
  /** An object of the kind, once one is as wanted. */
  readonly until: (kind: Watched, wanted: (object: KubernetesObject) => boolean) => Promise<KubernetesObject>;
  /** Resolves once nothing of the kind is as said. */
  readonly untilNone: (kind: Watched, unwanted: (object: KubernetesObject) => boolean) => Promise<void>;
}

async function setUp(t: TestContext): Promise<World> {
  const work = await mkdtemp(join(tmpdir(), "dray-api-node-"));
  const folder = await mkdtemp(join(tmpdir(), "dray-api-pods-"));
  const api = await openApiServer({ folder: work });
  const client = new KubernetesClient({ transport: api.transport(), server: "https://api" });
  const stack = new AsyncDisposableStack();
  t.after(async () => {
    await stack.disposeAsync();
    await api.close();
    await rm(work, { recursive: true });
    await rm(folder, { recursive: true });
  });
  const images = new NamedImages();
  const clock = { now: Date.now() };
  const waits = new Set<() => void>();
  const start = async (): Promise<void> => {
    const registration = new NodeRegistration({
      client,
      name: "lab1",
      facts: FACTS,
      images: () => [{ names: ["app:1"], sizeBytes: 5 }],
    });
    const mirrors = new MirrorPods({
      client,
      node: "lab1",
      nodeUid: () => registration.uid,
      onShown: (uid) => sink.shown(uid),
      onRemoved: (uid) => sink.forget(uid),
    });
    const sink = new ApiSink({ client, node: "lab1", shownAs: mirrors.shownAs });
    const files = new FolderSource({ folder });
    const pods = new ApiSource({
      client,
      node: "lab1",
      watchCredentials: true,
      onMirror: (pod, isGone) => mirrors.seen(pod, isGone),
    });
    await registration.start();
    stack.defer(() => registration.close());
    stack.defer(() => mirrors.close());
    stack.defer(() => sink.close());
    const node = stack.use(
      new ImageNode({
        pods: new PodSources([mirrorSource(files, mirrors), pods]),
        secrets: new SecretLookups([files, pods]),
        images: new ImageManager({ runtime: images, now: () => clock.now, rate: { qps: 0, burst: 0 } }),
        sink,
        recheckInterval: Infinity,
        name: "lab1",
        now: () => clock.now,
        random: () => 0,
        wait: (_, signal) =>
          new Promise((resolve, reject) => {
            waits.add(resolve);
            signal.addEventListener("abort", () => {
              waits.delete(resolve);
              reject(signal.reason);
            });
          }),
      }),
    );
    await node.start();
  };
  const follow = async (
    kind: Watched,
    enough: (all: Map<string, KubernetesObject>) => boolean,
  ): Promise<Map<string, KubernetesObject>> => {
    const of = resource(client, kind);
    const { items, resourceVersion } = await of.listAll({ namespace: "" });
    const all = new Map(items.map((one) => [keyOf(one), one]));
    if (enough(all)) return all;
    const { signal } = t;
    for await (const { type, object } of of.watch({ resourceVersion, namespace: "", signal })) {
      if (type === "DELETED") all.delete(keyOf(object));
      else if (type !== "BOOKMARK") all.set(keyOf(object), object);
      if (enough(all)) break;
    }
    return all;
  };
  return {
    client,
    folder,
    images,
    start,
    pod: (name, image) => resource(client, "pods").create(podOf(name, image)),
    elapse: async (milliseconds) => {
      while (waits.size === 0) await nextTurn();
      clock.now += milliseconds;
      for (const wake of waits) wake();
      waits.clear();
    },
    until: async (kind, wanted) => {
      const all = await follow(kind, (now) => [...now.values()].some(wanted));
      return [...all.values()].find(wanted) as KubernetesObject;
    },
    untilNone: async (kind, unwanted) => {
      await follow(kind, (now) => ![...now.values()].some(unwanted));
    },
  };
}

function keyOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name ?? ""}`;
}

function podOf(name: string, image: string): KubernetesObject {
  const spec = { nodeName: "lab1", containers: [{ name: "c", image }] };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" }, spec };
}

function statusOf(object: KubernetesObject): JsonObject {
  return (object["status"] ?? {}) as JsonObject;
}

function waitingFor(object: KubernetesObject): string | undefined {
  const [first] = (statusOf(object)["containerStatuses"] ?? []) as readonly {
    readonly state?: { readonly waiting?: { readonly reason?: string } };
  }[];
  return first?.state?.waiting?.reason;
}

test("a Pod bound to the node gets its image, and the API hears of it step by step", PATIENCE, async (t) => {
  const world = await setUp(t);
  await world.start();
  await world.pod("web", "app:1");
  const pod = await world.until("pods", (one) => statusOf(one)["phase"] === "Running");
  const [container] = statusOf(pod)["containerStatuses"] as readonly JsonObject[];
  assert.equal(container?.["ready"], true);
  assert.equal(container?.["imageID"], `docker.io/library/app@${digestOf("app:1")}`);
  const pulled = await world.until("events", (one) => one["reason"] === "Pulled");
  assert.match(pulled["message"] as string, /^Successfully pulled image "app:1" in /);
  assert.equal((pulled["involvedObject"] as JsonObject)["uid"], pod.metadata.uid);
});

test(
  "an image that isn't there shows as ErrImagePull, then ImagePullBackOff, and heals",
  PATIENCE,
  async (t) => {
    const world = await setUp(t);
    await world.start();
    await world.pod("web", "app:2");
    await world.until("events", (one) => one["reason"] === "Failed");
    await world.elapse(1_000);
    await world.until("pods", (one) => /^(?:ErrImagePull|ImagePullBackOff)$/.test(waitingFor(one) ?? ""));
    await world.elapse(1_000);
    await world.until("pods", (one) => waitingFor(one) === "ImagePullBackOff");
    world.images.remote.add("app:2");
    await world.elapse(30_000);
    await world.until("pods", (one) => statusOf(one)["phase"] === "Running");
  },
);

test("deleting a Pod of the API waits for the node to let it go, and no longer", PATIENCE, async (t) => {
  const world = await setUp(t);
  await world.start();
  await world.pod("web", "app:1");
  await world.until("pods", (one) => statusOf(one)["phase"] === "Running");
  await resource(world.client, "pods").delete("web", { namespace: "default" });
  await world.untilNone("pods", (one) => one.metadata.name === "web");
});

test(
  "a Pod of a file has a mirror with its status; deleting the mirror deletes nothing, deleting the file does",
  PATIENCE,
  async (t) => {
    const world = await setUp(t);
    const file = join(world.folder, "web.yaml");
    await writeFile(
      file,
      "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {containers: [{name: c, image: 'app:1', env: [{name: A, value: b}]}], imagePullSecrets: [{name: s}]}}",
    );
    await world.start();
    const isMirror = (one: KubernetesObject): boolean => one.metadata.name === "web-lab1";
    const mirror = await world.until("pods", (one) => isMirror(one) && statusOf(one)["phase"] === "Running");
    assert.equal(mirror.metadata.namespace, "shop");
    assert.deepEqual(mirror.metadata.labels, { app: "web" });
    assert.equal(mirror.metadata.ownerReferences?.[0]?.kind, "Node");
    const [container] = (mirror["spec"] as JsonObject)["containers"] as readonly JsonObject[];
    assert.deepEqual(container?.["env"], [{ name: "A", value: "b" }]);
    const event = await world.until("events", (one) => one["reason"] === "Pulled");
    const about = event["involvedObject"] as JsonObject;
    assert.deepEqual(
      [about["name"], about["uid"]],
      ["web-lab1", mirror.metadata.annotations?.["kubernetes.io/config.mirror"]],
    );
    await resource(world.client, "pods").delete("web-lab1", { namespace: "shop" });
    await world.until("pods", (one) => isMirror(one) && one.metadata.uid !== mirror.metadata.uid);
    await unlink(file);
    await world.untilNone("pods", isMirror);
  },
);

test(
  "a mirror whose file went while no node ran is taken away, a stranger's Pod is not",
  PATIENCE,
  async (t) => {
    const world = await setUp(t);
    const annotations = { "kubernetes.io/config.mirror": "0123" };
    const pods = resource(world.client, "pods");
    const orphan = podOf("old-lab1", "app:1");
    await pods.create({ ...orphan, metadata: { ...orphan.metadata, annotations } });
    await world.pod("web", "app:1");
    await world.start();
    await world.untilNone("pods", (one) => one.metadata.name === "old-lab1");
    await world.until("pods", (one) => one.metadata.name === "web" && statusOf(one)["phase"] === "Running");
  },
);

test("the node registers itself, its images and a Lease", PATIENCE, async (t) => {
  const world = await setUp(t);
  await world.start();
  const node = await world.until("nodes", (one) => statusOf(one)["images"] !== undefined);
  assert.equal(node.metadata.labels?.["kubernetes.io/arch"], "amd64");
  assert.deepEqual(statusOf(node)["images"], [{ names: ["app:1"], sizeBytes: 5 }]);
  const ready = (statusOf(node)["conditions"] as readonly JsonObject[]).find(
    (one) => one["type"] === "Ready",
  );
  assert.equal(ready?.["status"], "True");
  const lease = await resource(world.client, "leases", "coordination.k8s.io").get("lab1", {
    namespace: "kube-node-lease",
  });
  assert.equal((lease["spec"] as JsonObject)["holderIdentity"], "lab1");
});

test("tokens for providers come from the API, bound to the Pod", PATIENCE, async (t) => {
  const world = await setUp(t);
  const issuer = new ApiTokenIssuer(world.client);
  const account = await issuer.get("default", "default");
  const pod = await world.pod("web", "app:1");
  const issued = await issuer.issue({
    namespace: "default",
    serviceAccountName: "default",
    serviceAccountUID: account.uid,
    audiences: ["registry"],
    pod: { name: "web", uid: pod.metadata.uid ?? "" },
  });
  const [, claims = ""] = issued.token.reveal().split(".");
  const { aud, sub } = JSON.parse(Buffer.from(claims, "base64url").toString()) as JsonObject;
  assert.deepEqual([aud, sub], [["registry"], "system:serviceaccount:default:default"]);
  assert.equal(issued.expires > Date.now(), true);
});
