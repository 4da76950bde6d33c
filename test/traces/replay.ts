/** Plays a recording again: its registries, its objects and its clock around our node. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ConfiguredHosts, RegistryClient } from "../../src/client/index.ts";
import { Secret, toCandidate, type TrackedCredential } from "../../src/credentials/index.ts";
import { type ImageRuntime, listStoreImages, StoreImages, StoreRuntime } from "../../src/images/index.ts";
import { readManifests } from "../../src/kubernetes/index.ts";
import type { Platform } from "../../src/oci/index.ts";
import { openMemoryStore } from "../../src/store/index.ts";
import { Cluster, type ClusterPod } from "./cluster.ts";
import { compare, nameIn } from "./compare.ts";
import { INSIDERS, LabRegistry } from "./lab-registry.ts";
import { deriveLooks } from "./looks.ts";
import { ProviderPrograms } from "./provider-programs.ts";
import type { RecordedImage, RecordedStep, RecordFile, Recording } from "./recording.ts";
import { factsOfError } from "./runtime-text.ts";
import { settle, VirtualClock } from "./virtual-clock.ts";
import { VirtualNode } from "./virtual-node.ts";
import { layersOf, withLayers } from "./with-layers.ts";

const PLATFORM: Platform = { os: "linux", architecture: "amd64" };
const START = Date.UTC(2026, 0, 1);

export type Outcome =
  | { readonly state: "equal" }
  | { readonly state: "different"; readonly differences: readonly string[] }
  /** Something in the recording that isn't replayed yet. */
  | { readonly state: "uncovered"; readonly why: string };

export async function replay(recording: Recording): Promise<Outcome> {
  const strange = recording.steps.find((step) => !isKnown(step));
  if (strange !== undefined) return { state: "uncovered", why: `step ${JSON.stringify(strange.action)}` };
  const unknown = recording.nodeImagesBefore.find(
    ({ ref }) => !recording.registry.images.some((image) => isNamed(image, ref)),
  );
  if (unknown !== undefined) {
    return { state: "uncovered", why: `image ${JSON.stringify(unknown.ref)}, which no registry holds` };
  }
  const root = await mkdtemp(join(tmpdir(), "dray-traces-"));
  try {
    const differences = [...refusals(recording), ...(await play(recording, root))];
    return differences.length === 0 ? { state: "equal" } : { state: "different", differences };
  } catch (error) {
    return { state: "different", differences: [`the replay failed: ${String(error)}`] };
  } finally {
    await rm(root, { recursive: true });
  }
}

/** What a registry or a provider answered after something was done to it, the recording says. */
const WORDS =
  /^((registry|provider|credential provider) .*|file (written on|removed from) the node|kubelet (restarted|stopped|started))$/;

function isKnown(step: RecordedStep): boolean {
  const { action } = step;
  const isRequest = ["create", "patch", "replace", "update", "delete"].includes(action);
  return isRequest || WORDS.test(action) || byHand(step) !== undefined;
}

/** What was done to an image of the node without the kubelet. */
function byHand({
  action,
  ref,
  image,
}: RecordedStep): { readonly ref: string; readonly removed: boolean } | undefined {
  const [, named, verb] = /^image (?:(\S+) )?(pulled|removed)\b/.exec(action) ?? [];
  const which = ref ?? image ?? named;
  return verb === undefined || which === undefined ? undefined : { ref: which, removed: verb === "removed" };
}

/** What the API server refused for its images, our reader of manifests must refuse, too. */
function refusals(recording: Recording): readonly string[] {
  return recording.steps.flatMap(({ action, object, code = 0 }) => {
    if (action !== "create" || object?.kind !== "Pod") return [];
    const { problems } = readManifests(JSON.stringify(object), { file: "pod.json" });
    const refused = problems.length > 0;
    if (refused === code >= 400) return [];
    const why = refused ? problems.map(({ message }) => message).join("; ") : "nothing";
    return [`Pod ${object.metadata.name}: refused for ${why}, where the API server said ${code}`];
  });
}

async function play(recording: Recording, root: string): Promise<readonly string[]> {
  const clock = new VirtualClock(START);
  const registry = new LabRegistry(recording, clock);
  const cluster = new Cluster();
  const programs = new ProviderPrograms(recording.credentialProviderCalls ?? [], clock);
  await using memory = openMemoryStore({ now: clock.now });
  const store = withLayers(memory, layersOf(recording.registry.images));
  await using clients = new Clients(registry, clock);
  const plain = new StoreRuntime({ store, platform: PLATFORM, registry: clients.find });
  const runtimeTexts = new Map<string, string>();
  const runtime = listening(plain, runtimeTexts);
  await prepare(recording, registry, plain);
  const node = new VirtualNode({
    recording,
    clock,
    cluster,
    programs,
    runtime,
    store,
    platform: PLATFORM,
    root,
  });
  const collect = (): Promise<void> => Promise.resolve();
  const onNode = new StoreImages({ store, platform: PLATFORM, folder: root, collect });
  await node.start();
  const looks = deriveLooks(recording);
  const recordsDuring: Record<string, readonly RecordFile[]> = {};
  const failures: unknown[] = [];
  const inBackground = (work: Promise<void>): void =>
    void work.catch((error: unknown) => failures.push(error));
  const at = (seconds: number, run: () => void): void => clock.schedule(START + seconds * 1000, run);
  const find = (name: string): ClusterPod | undefined =>
    cluster.pods.findLast((pod) => nameIn(recording, pod) === name && !pod.deleted);
  for (const step of recording.steps) {
    at(step.t, () => {
      cluster.apply(step);
      if (step.file !== undefined && step.content === undefined) node.files.delete(step.file);
      else if (step.file !== undefined) node.files.set(step.file, asText(step.content));
      inBackground(restart(node, step.action, root, recordsDuring));
      const done = byHand(step);
      if (done?.removed === true) inBackground(onNode.remove(done.ref));
      else if (done !== undefined) inBackground(pullByHand(plain, done.ref));
    });
  }
  scheduleExits(recording, { at, find, node });
  for (const look of looks) {
    at(look.t, () => {
      const pod = find(look.pod);
      if (pod !== undefined) node.look(pod, look.crashing);
    });
  }
  await clock.runUntil(START + recording.durationSeconds * 1000);
  if (failures.length > 0) throw failures[0];
  const images = await listStoreImages(store, { platform: PLATFORM });
  const replayed = {
    events: node.events,
    samples: node.samples,
    requests: registry.requests,
    calls: programs.calls,
    images: images.map((image) => ({ ...image, size: String(image.size) })),
    records: await readRecords(root),
    recordsDuring,
    runtimeTexts,
  };
  const differences = compare(recording, replayed, looks);
  node.stop();
  await settle();
  return differences;
}

/** Puts the images into the registries, and those on the node that were there before. */
async function prepare(recording: Recording, registry: LabRegistry, runtime: StoreRuntime): Promise<void> {
  const waiting = new Set(recording.nodeImagesBefore.map(({ ref }) => ref));
  for (const image of recording.registry.images) {
    registry.push(image);
    for (const ref of waiting) {
      if (!isNamed(image, ref)) continue;
      await pullByHand(runtime, ref);
      waiting.delete(ref);
    }
  }
  registry.requests.length = 0;
  registry.startRepeating();
}

function isNamed({ registry, repository, tag, digest, manifests = [] }: RecordedImage, ref: string): boolean {
  const name = `${registry}/${repository}`;
  const digests = [digest, ...manifests.map((one) => one.digest)];
  const names = [`${name}:${tag}`, ...digests.flatMap((one) => [`${name}@${one}`, `${name}:${tag}@${one}`])];
  return names.includes(ref) || (tag === "latest" && ref === name);
}

async function pullByHand(runtime: StoreRuntime, ref: string): Promise<void> {
  await runtime.pull(ref, { credentials: insider(ref.split("/")[0] ?? "") });
}

function insider(registry: string): readonly TrackedCredential[] {
  const [username, password] = INSIDERS[registry]?.split(":") ?? [];
  if (username === undefined || password === undefined) return [];
  const origin = { kind: "argument", label: "by hand" } as const;
  return [{ username, password: new Secret(password), email: "", owner: undefined, hash: "", origin }];
}

async function restart(
  node: VirtualNode,
  action: string,
  root: string,
  during: Record<string, readonly RecordFile[]>,
): Promise<void> {
  if (/kubelet (stopped|restarted)/.test(action)) {
    during["pullingDuringPull"] = (await readRecords(root)).pulling;
    node.stop();
    await settle();
    during["pullingAfterStop"] = (await readRecords(root)).pulling;
  }
  if (/kubelet (started|restarted)/.test(action)) {
    await node.start();
    during["pullingAfterStart"] = (await readRecords(root)).pulling;
  }
}

/** Processes end when they were seen to have ended. */
function scheduleExits(
  recording: Recording,
  world: {
    readonly at: (seconds: number, run: () => void) => void;
    readonly find: (name: string) => ClusterPod | undefined;
    readonly node: VirtualNode;
  },
): void {
  for (const { t, pod: name, deleting, ...sample } of recording.samples) {
    if (deleting === true) continue;
    const statuses = [
      ...(sample.initContainerStatuses ?? []),
      ...(sample.containerStatuses ?? []),
      ...(sample.ephemeralContainerStatuses ?? []),
    ];
    for (const { name: container, restartCount, state } of statuses) {
      const { terminated } = state;
      if (terminated === undefined) continue;
      const { exitCode, reason } = terminated;
      // The look that showed it came just before.
      world.at(t - 0.1, () => {
        const pod = world.find(name);
        if (pod !== undefined) world.node.exit(pod, container, { instance: restartCount, exitCode, reason });
      });
    }
  }
}

/** One client for each credential: what one may see is nobody else's. */
class Clients implements AsyncDisposable {
  readonly #clients = new Map<string, RegistryClient>();
  readonly #registry: LabRegistry;
  readonly #clock: VirtualClock;

  constructor(registry: LabRegistry, clock: VirtualClock) {
    this.#registry = registry;
    this.#clock = clock;
  }

  readonly find: ConstructorParameters<typeof StoreRuntime>[0]["registry"] = (reference, credential) => {
    const candidate = credential === undefined || credential === null ? undefined : toCandidate(credential);
    const { username = "", password } = credential ?? {};
    const key = JSON.stringify([username, password?.reveal()]);
    const client =
      this.#clients.get(key) ??
      new RegistryClient({
        hosts: new ConfiguredHosts(),
        credentials: { find: () => Promise.resolve(candidate === undefined ? [] : [candidate]) },
        fetch: this.#registry.fetch,
        clock: this.#clock.now,
        sleep: this.#clock.sleep,
        // containerd asks once; another attempt is the kubelet's affair.
        retry: { attempts: 1 },
      });
    this.#clients.set(key, client);
    return client.repository(reference.domain, reference.path);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) await client.close();
  }
}

/** Keeps in mind what a runtime says, so that its words can be told from ours. */
function listening(runtime: ImageRuntime, texts: Map<string, string>): ImageRuntime {
  return {
    find: (image, options) => runtime.find(image, options),
    pull: async (image, options) => {
      try {
        return await runtime.pull(image, options);
      } catch (error) {
        texts.set(error instanceof Error ? error.message : String(error), factsOfError(error));
        throw error;
      }
    },
  };
}

async function readRecords(root: string): Promise<Recording["imageManagerRecords"]> {
  const read = async (folder: string): Promise<readonly RecordFile[]> => {
    const path = join(root, "image_manager", folder);
    const names = await readdir(path).catch(() => []);
    return await Promise.all(
      names.map(async (file) => ({
        file,
        content: JSON.parse(await readFile(join(path, file), "utf8")) as RecordFile["content"],
      })),
    );
  };
  return { pulled: await read("pulled"), pulling: await read("pulling") };
}

function asText(content: unknown): string {
  return typeof content === "string" ? content : JSON.stringify(content);
}
