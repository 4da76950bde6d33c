/**
 * One world, asked twice: explaining says what would become of a Pod's images, then a node of ours, with all that it is
 * made of, does it. Last, explaining is shown the Pod as the node left it.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NO_TOKENS } from "../../src/cli/explain/node-side.ts";
import { readProviderConfig, searchNodeFiles } from "../../src/credentials/index.ts";
import {
  explain,
  type Explanation,
  GivenObjects,
  isKubernetesObject,
  ListedImages,
  type NodeImages,
  type NodeSituation,
  ProviderRuns,
  type Situation,
} from "../../src/explain/index.ts";
import { listStoreImages, makeVerificationPolicy, StoreRuntime } from "../../src/images/index.ts";
import {
  applyDefaults,
  type JsonObject,
  type KubernetesObject,
  readManifests,
  type SecretObject,
} from "../../src/kubernetes/index.ts";
import { toNodePod } from "../../src/node/api/api-pod.ts";
import { readFolderObjects } from "../../src/node/folder-objects.ts";
import type { NodePod, PodState } from "../../src/node/index.ts";
import type { Platform } from "../../src/oci/index.ts";
import { parseReference } from "../../src/reference/index.ts";
import { openMemoryStore, type Store } from "../../src/store/index.ts";
import { VirtualClock } from "../traces/virtual-clock.ts";
import { HOSTS, type World } from "./random-worlds.ts";
import { ScriptedRegistries } from "./scripted-registries.ts";
import { ephemeralOf, manifestsOf, providerConfig, scriptOf } from "./world-objects.ts";
import {
  START,
  PLACES,
  type Lab,
  neverAsked,
  nodeFiles,
  program,
  register,
  digestsOf,
  listOf,
  preload,
  listRecords,
  hostsOf,
  lookAtRecords,
  MemoryShelf,
  drive,
} from "./world-lab.ts";
import { type NodeAnswer, runNode } from "./world-node.ts";

export interface Answers {
  readonly explained: Explanation;
  /** Of the Pod as the node left it; undefined where the node never had it. */
  readonly live: Explanation | undefined;
  /** Images by the looks at them, in their order; undefined for a Pod that can't be. */
  readonly looks: readonly (readonly NodeAnswer[])[] | undefined;
  readonly state: PodState | undefined;
  readonly problems: readonly string[];
  /** Of manifests and layers, what was on the node before. */
  readonly had: ReadonlySet<string>;
  /** Whether explaining left anything behind. */
  readonly traces: readonly string[];
  /** All that explaining showed. */
  readonly shown: string;
}

/** @param folder where programs lie, see {@link makePrograms} */
export async function askTwice(world: World, folder: string): Promise<Answers> {
  const root = world.files ? await mkdtemp(join(folder, "node-")) : folder;
  try {
    await using store = openMemoryStore({ now: () => START });
    const clock = new VirtualClock(START);
    const script = scriptOf(world);
    const registries = (): ScriptedRegistries =>
      new ScriptedRegistries(script, { layers: true, sleep: clock.sleep });
    const known = registries();
    const digestOf = (image: string): string => {
      const { domain, path, tag = "1" } = parseReference(image);
      const host = domain === "docker.io" ? HOSTS[2] : domain;
      return known.digestOf(host, `${path}:${tag}`) ?? known.digestOf("a.example", "team/app:1") ?? "";
    };
    const lab: Lab = {
      world,
      folder,
      root,
      clock,
      platform: { os: "linux", architecture: world.architecture },
      store,
      objects: manifestsOf(world, digestOf),
      policy: makeVerificationPolicy(world.verification, {
        allowlist: ["a.example/team/app", "b.example:5000/*"],
      }),
      memory: {
        intents: new MemoryShelf(({ image }) => image),
        pulled: new MemoryShelf(({ imageRef }) => imageRef),
      },
      registries,
    };
    return await ask(lab, digestOf);
  } finally {
    if (world.files) await rm(root, { recursive: true });
  }
}

async function ask(lab: Lab, digestOf: (image: string) => string): Promise<Answers> {
  const { world, folder, store, objects } = lab;
  if (world.providers.length > 0) {
    await writeFile(join(folder, "providers.json"), JSON.stringify(providerConfig(world.providers)));
  }
  await preload(lab);
  const had = await digestsOf(store);
  const before = await listRecords(lab);
  const text = listOf(objects);
  const read = readManifests(text, { file: "all.json", unread: true });
  const known = read.objects.map(({ object }) => object);
  const given = { secrets: read.secrets.map(({ object }) => object) };
  const { pods, secrets, problems } = readFolderObjects("manifests", { files: [{ name: "all.json", text }] });
  const [written] = pods.values();
  // Nobody writes ephemeral containers into a Pod: they are added to one that the API has.
  const ephemeral = ephemeralOf(world, digestOf);
  const debugged = ephemeral.length > 0 && written ? addEphemeral(written, ephemeral) : undefined;
  const subjects = debugged === undefined ? known.filter(({ kind }) => kind === "Pod") : [debugged];
  const explained = await explainWorld(lab, { ...given, objects: known, subjects });
  const traces = (await listRecords(lab)) === before ? [] : ["pull records changed"];
  if ((await digestsOf(store)).size !== had.size) traces.push("content was stored");
  const shown = JSON.stringify(explained);
  const pod = debugged === undefined ? written : toNodePod(debugged);
  if (pod === undefined) {
    return { explained, live: undefined, looks: undefined, state: undefined, problems, had, traces, shown };
  }
  const ran = await runNode(lab, { pod, secrets });
  const stored = { ...(debugged ?? storedPod(pod)), status: ran.state.status as unknown as JsonObject };
  const rest = known.filter(({ kind }) => kind !== "Pod");
  const told = [...rest, ...(ran.events as unknown as JsonObject[])];
  const live = world.live
    ? await explainWorld(lab, { ...given, objects: told, subjects: [stored] })
    : undefined;
  const all = shown + JSON.stringify(live);
  return { explained, live, looks: ran.looks, state: ran.state, problems, had, traces, shown: all };
}

async function explainWorld(
  lab: Lab,
  given: {
    readonly objects: readonly JsonObject[];
    readonly secrets: readonly SecretObject[];
    readonly subjects: readonly JsonObject[];
  },
): Promise<Explanation> {
  const { world, folder, clock, registries, policy, platform, store } = lab;
  const { ensureSecretPulled } = world;
  const runs = new ProviderRuns(program(world), clock.now);
  const providers = await register(lab, { run: runs.run, serviceAccounts: NO_TOKENS });
  const configs = providers && (await readProviderConfig(join(folder, "providers.json"))).config.providers;
  const files = nodeFiles(world);
  const node: NodeSituation = {
    platform,
    images: await nodeImages(store, { platform, listed: world.listed }),
    records: { shelves: lookAtRecords(lab), policy },
  };
  const sources: Situation["sources"] = {
    files: () => searchNodeFiles(PLACES, files),
    providers: providers && configs && { registered: providers, configs, runs, tokens: false },
  };
  return await drive(
    lab,
    explain({
      workloads: given.subjects.filter(isKubernetesObject).map((object) => ({ object })),
      nodes: [ensureSecretPulled ? node : { ...node, records: undefined }],
      surroundings: new GivenObjects({
        objects: given.objects,
        secrets: given.secrets,
        complete: true,
      }),
      sources,
      admission: [],
      hosts: (log) => hostsOf(world, folder, log),
      send: registries().send,
      problems: [],
      ensureSecretPulled,
      rate: 1e6,
      now: clock.now,
    }),
  );
}

/** The same as a list, as `crictl images -o json` gives one, or asked of the store itself. */
async function nodeImages(
  store: Store,
  { platform, listed }: { readonly platform: Platform; readonly listed: boolean },
): Promise<NodeImages> {
  const digests = await digestsOf(store);
  const has = (digest: string): Promise<boolean> => Promise.resolve(digests.has(digest));
  if (!listed) {
    const runtime = new StoreRuntime({ store, platform, registry: neverAsked });
    return {
      source: "the node's store",
      has,
      find: async (image) => {
        const value = await runtime.find(image);
        return value === undefined ? { state: "missing" } : { state: "found", value };
      },
    };
  }
  const images = await listStoreImages(store, { platform });
  const list = new ListedImages(
    images.map(({ id, repoTags, repoDigests, size }) => ({
      id,
      tags: repoTags,
      digests: repoDigests,
      size: Number(size),
    })),
    "crictl images",
  );
  return { source: list.source, has, find: (image) => list.find(image) };
}

/** As the API would have it: with what admission added, and a uid. */
function storedPod({ pod, uid, manifest = {} }: NodePod): KubernetesObject & JsonObject {
  const { imagePullSecrets, serviceAccountName } = pod.spec;
  const spec = (manifest["spec"] ?? {}) as JsonObject;
  return {
    ...manifest,
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...(manifest["metadata"] as JsonObject),
      namespace: pod.metadata.namespace,
      uid,
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
    spec: {
      ...spec,
      serviceAccountName: serviceAccountName ?? "default",
      imagePullSecrets: imagePullSecrets.map((name) => ({ name })),
    },
  } as KubernetesObject & JsonObject;
}

function addEphemeral(
  to: NodePod,
  ephemeralContainers: readonly JsonObject[],
): KubernetesObject & JsonObject {
  const stored = storedPod(to);
  const spec = { ...(stored["spec"] as JsonObject), ephemeralContainers: [...ephemeralContainers] };
  return applyDefaults({ ...stored, spec }) as KubernetesObject & JsonObject;
}
