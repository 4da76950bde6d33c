/**
 * What a recorded kubelet said of a Pod's first attempt, explaining must say, too: the same objects, the same
 * registries and the same images on the node, without running any of it.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { alwaysPullImages } from "../../src/admission/index.ts";
import { ConfiguredHosts, fetchTransport } from "../../src/client/index.ts";
import { readProviderConfig, runProgram, searchNodeFiles } from "../../src/credentials/index.ts";
import {
  CAUSES,
  explain,
  GivenObjects,
  type ImageTrace,
  ListedImages,
  type NodeImages,
  type NodeSituation,
  ProviderRuns,
  type Situation,
} from "../../src/explain/index.ts";
import { defaultImageConfig, parseKubeletConfig, verificationPolicyOf } from "../../src/images/index.ts";
import { type JsonObject, type KubernetesObject, readManifests } from "../../src/kubernetes/index.ts";
import { Cluster } from "../traces/cluster.ts";
import { compareLive, storedPod } from "./explain-recorded.ts";
import { LabRegistry } from "../traces/lab-registry.ts";
import { ProviderPrograms } from "../traces/provider-programs.ts";
import {
  readRecordings,
  type RecordedEvent,
  type RecordedImage,
  type Recording,
} from "../traces/recording.ts";
import { VirtualClock } from "../traces/virtual-clock.ts";

const FOLDER = fileURLToPath(new URL("../traces/recordings/", import.meta.url));
const PLATFORM = { os: "linux", architecture: "amd64" };
const START = Date.UTC(2026, 0, 1);

/** What can't be known beforehand: what others do at the same moment, and what only bytes of layers tell. */
const OUT_OF_REACH = new Set(["qps-exceeded"]);

/** What must be found in which scenario, whatever else is. */
const CAUSES_WANTED: Readonly<Record<string, string>> = {
  "al-unlisted": "NO_CREDENTIALS",
  "av-never-preloaded": "NEVER_NOT_ACCESSIBLE",
  "av-preloaded-none": "NO_CREDENTIALS",
  blobcorrupt: "DIGEST_MISMATCH",
  "cp-badjson": "PROVIDER_FAILED",
  "cp-fail": "PROVIDER_FAILED",
  "cred-no-port": "CREDENTIAL_HOST_MISMATCH",
  "cred-other-alias": "CREDENTIAL_HOST_MISMATCH",
  "cred-path-nomatch": "CREDENTIAL_NOT_MATCHED",
  deny403: "SCOPE_SHORT",
  "dns-failure": "DNS_FAILED",
  e403: "ACCESS_DENIED",
  "e429-ra": "RATE_LIMITED",
  "e500-long": "REGISTRY_ERROR",
  "e503-html": "REGISTRY_ERROR",
  html200: "NOT_A_REGISTRY",
  "image-empty": "POD_INVALID",
  "image-leading-space": "POD_INVALID",
  "index-without-platform": "PLATFORM_MISSING",
  "invalid-uppercase": "NAME_INVALID",
  "manifest-other-arch": "PLATFORM_MISMATCH",
  "never-tag-present-by-digest": "NEVER_ABSENT",
  "policy-never-absent": "NEVER_ABSENT",
  "private-auth-notbase64": "SECRET_BROKEN",
  "private-none-long": "NO_CREDENTIALS",
  "private-wrong": "CREDENTIAL_REFUSED",
  "sa-not-merged": "ACCOUNT_SECRETS_IGNORED",
  schema1: "MANIFEST_UNSUPPORTED",
  "secret-auths-wrong-shape": "SECRET_BROKEN",
  "secret-empty-object": "SECRET_EMPTY",
  "secret-missing-private": "SECRET_MISSING",
  "secret-missing-public": "SECRET_MISSING",
  "secret-opaque": "SECRET_WRONG_TYPE",
  "secret-other-namespace": "SECRET_OTHER_NAMESPACE",
  "token-none": "NO_CREDENTIALS",
  "token-wrong": "CREDENTIAL_REFUSED",
  "unknown-tag-long": "TAG_MISSING",
  "unreachable-long": "CONNECTION_REFUSED",
  "wrong-digest": "DIGEST_MISSING",
};

test("explaining says of every recorded Pod what the kubelet said of it", { timeout: 300_000 }, async () => {
  const wrong: string[] = [];
  let compared = 0;
  let offline = 0;
  for await (const recording of readRecordings(FOLDER)) {
    if (OUT_OF_REACH.has(recording.scenario)) continue;
    const explained = await explainFirstPod(recording);
    wrong.push(...explained.differences.map((text) => `${recording.scenario} ${text}`));
    offline += explained.offline;
    for (const { image, expected } of explained.images) {
      compared++;
      const got = describe(image);
      if (got !== expected) {
        wrong.push(`${recording.scenario} ${image.slot.name}: ${got}, where the kubelet said ${expected}`);
      }
      const failed = image.outcome.state === "failed";
      const refused = explained.causes.some((code) => code === "POD_INVALID");
      if (failed !== image.causes.some(({ severity }) => severity === "failure") && !refused) {
        wrong.push(`${recording.scenario} ${image.slot.name}: ${got}, for ${JSON.stringify(image.causes)}`);
      }
    }
    const cause = CAUSES_WANTED[recording.scenario];
    if (cause !== undefined && !explained.causes.includes(cause)) {
      wrong.push(`${recording.scenario}: ${explained.causes.join(" ")}, and not ${cause}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(compared > 100, `only ${compared} images`);
  assert.ok(offline > 50, `only ${offline} live Pods`);
  assert.deepEqual(
    Object.values(CAUSES_WANTED).filter((code) => !Object.hasOwn(CAUSES, code)),
    [],
  );
});

interface Explained {
  readonly images: readonly { readonly image: ImageTrace; readonly expected: string }[];
  readonly causes: readonly string[];
  /** Between what asking tells and what the stored Pod tells by itself. */
  readonly differences: readonly string[];
  /** Failing images of stored Pods that were explained without asking anybody. */
  readonly offline: number;
}

/** The Pod that came first, with everything that was there before it. */
async function explainFirstPod(recording: Recording): Promise<Explained> {
  const root = await mkdtemp(join(tmpdir(), "dray-explain-"));
  try {
    const index = recording.steps.findIndex(
      ({ action, object }) => action === "create" && object?.kind === "Pod",
    );
    const step = recording.steps[index];
    assert.ok(step?.object !== undefined, recording.scenario);
    const namespace = step.namespace ?? "default";
    const clock = new VirtualClock(START);
    const cluster = new Cluster();
    const before = recording.steps.slice(0, index);
    for (const earlier of before) cluster.apply(earlier);
    const registry = new LabRegistry(recording, clock);
    for (const image of recording.registry.images) registry.push(image);
    registry.startRepeating();
    const objects = objectsOf(before);
    const situation: Situation = {
      workloads: [{ object: withNamespace(step.object as unknown as KubernetesObject, namespace) }],
      nodes: [nodeOf(recording)],
      surroundings: new GivenObjects({ ...objects, complete: true }),
      sources: await sourcesOf(recording, { root, clock, cluster }),
      admission: alwaysPulls(recording) ? [alwaysPullImages] : [],
      hosts: (log) => new ConfiguredHosts({ log }),
      send: fetchTransport((request) => answer(registry, clock, request)),
      problems: [],
      ensureSecretPulled: gatesOf(recording),
      rate: 1e6,
      now: clock.now,
    };
    const explanation = await explain(situation);
    const [pod] = explanation.pods;
    assert.ok(pod !== undefined);
    const events = recording.events.filter(
      (event) =>
        event.pod === step.object?.metadata.name ||
        event.pod === `${namespace}/${step.object?.metadata.name}`,
    );
    const images = pod.images.flatMap((image, index) => {
      // The kubelet finds for a second container what it brought for the first.
      if (pod.images.slice(0, index).some(({ name }) => name.written === image.name.written)) return [];
      const expected = expectedOf(image, events, recording);
      return expected === undefined ? [] : [{ image, expected }];
    });
    const stored = storedPod(recording, { step, events, until: recording.steps[index + 1]?.t ?? Infinity });
    const live = stored && (await explain({ ...situation, ...withStored(stored, objects), send: undefined }));
    const told = compareLive(pod, live?.pods[0]);
    return {
      ...told,
      images,
      causes: [...pod.causes, ...pod.images.flatMap((image) => image.causes)].map(({ code }) => code),
    };
  } finally {
    await rm(root, { recursive: true });
  }
}

/** The Pod as it was stored and failing, and the same around it. */
function withStored(
  { pod, events }: NonNullable<ReturnType<typeof storedPod>>,
  { objects, secrets }: ReturnType<typeof objectsOf>,
): Pick<Situation, "workloads" | "surroundings"> {
  const surroundings = new GivenObjects({ objects: [...objects, ...events], secrets, complete: true });
  return { workloads: [{ object: pod }], surroundings };
}

/** The lab's registries take their time on the virtual clock, which nothing else moves here. */
async function answer(registry: LabRegistry, clock: VirtualClock, request: Request): Promise<Response> {
  const answering = registry.fetch(request);
  let done = false;
  void answering.finally(() => (done = true)).catch(() => {});
  while (!done) await clock.runUntil(clock.now() + 1);
  return await answering;
}

function alwaysPulls(recording: Recording & { readonly apiserver?: unknown }): boolean {
  return JSON.stringify(recording.apiserver ?? "").includes("AlwaysPullImages");
}

function withNamespace(object: KubernetesObject, namespace: string): KubernetesObject {
  return { ...object, metadata: { ...object.metadata, namespace } };
}

function objectsOf(
  steps: Recording["steps"],
): Pick<ConstructorParameters<typeof GivenObjects>[0], "objects" | "secrets"> {
  const objects: KubernetesObject[] = [];
  for (const { action, object, namespace = "default", name = "", kind, code = 0, body } of steps) {
    if (code >= 300) continue;
    if (action === "create" && object !== undefined) {
      objects.push(withNamespace(object as unknown as KubernetesObject, namespace));
    } else if (action === "patch" && kind === "ServiceAccount") {
      const metadata = { name, namespace };
      objects.push({ apiVersion: "v1", kind, metadata, ...(body as JsonObject) });
    }
  }
  const text = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const { objects: read, secrets } = readManifests(text, { file: "objects.json", unread: true });
  return { objects: read.map(({ object }) => object), secrets: secrets.map(({ object }) => object) };
}

function nodeOf(recording: Recording): NodeSituation {
  const all = recording.registry.images.flatMap((image) => [image, ...(image.manifests ?? [])]);
  const layers = new Set(all.flatMap((image) => (image.layers ?? []).map(({ digest }) => digest)));
  const here = recording.nodeImagesBefore.map(({ ref }) => {
    const image = recording.registry.images.find((one) => isNamed(one, ref));
    assert.ok(image !== undefined, ref);
    return listed(image, ref);
  });
  const listedImages = new ListedImages(here, "the recording");
  const images: NodeImages = {
    source: listedImages.source,
    find: (image) => listedImages.find(image),
    has: (digest) => Promise.resolve(layers.has(digest)),
  };
  const { given, gates } = parseKubeletConfig(
    JSON.stringify({
      ...recording.kubelet.config,
      kind: "KubeletConfiguration",
      apiVersion: "kubelet.config.k8s.io/v1beta1",
    }),
  );
  // Without the gate there are neither records nor a policy about them.
  if (!gates.ensureSecretPulled) return { platform: PLATFORM, images };
  const policy = verificationPolicyOf(defaultImageConfig(given, gates));
  const none = {
    list: async () => ({ records: [] }),
    find: async () => undefined,
    write: refuse,
    delete: refuse,
  };
  return { platform: PLATFORM, images, records: { shelves: { intents: none, pulled: none }, policy } };
}

function listed(image: RecordedImage, ref: string): ConstructorParameters<typeof ListedImages>[0][number] {
  const child = image.manifests?.find(({ configDigest }) => configDigest !== undefined);
  return {
    id: image.configDigest ?? child?.configDigest ?? "",
    tags: ref.includes("@") ? [] : [ref],
    digests: [`${image.registry}/${image.repository}@${image.digest}`],
    size: 1,
  };
}

async function refuse(): Promise<never> {
  throw new Error("explaining wrote to a node's records");
}

function isNamed({ registry, repository, tag, digest }: RecordedImage, ref: string): boolean {
  const name = `${registry}/${repository}`;
  return ref === `${name}:${tag}` || ref === `${name}@${digest}`;
}

function gatesOf({ kubelet }: Recording): boolean {
  const config = {
    ...kubelet.config,
    kind: "KubeletConfiguration",
    apiVersion: "kubelet.config.k8s.io/v1beta1",
  };
  return parseKubeletConfig(JSON.stringify(config)).gates.ensureSecretPulled;
}

async function sourcesOf(
  recording: Recording,
  lab: { readonly root: string; readonly clock: VirtualClock; readonly cluster: Cluster },
): Promise<Parameters<typeof explain>[0]["sources"]> {
  const { nodeFiles = {}, credentialProviderConfig } = recording.kubelet;
  const read = async (path: string): Promise<Uint8Array> => {
    const content = nodeFiles[path];
    if (content === undefined) throw Object.assign(new Error(path), { code: "ENOENT" });
    return Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
  };
  const places = { root: "/var/lib/kubelet", workingDirectory: "/srv/lab", home: "/root" };
  const files = () => searchNodeFiles(places, read);
  if (credentialProviderConfig === undefined) return { files };
  const programs = new ProviderPrograms(recording.credentialProviderCalls ?? [], lab.clock);
  const { root, cluster } = lab;
  const registered = await programs.register(credentialProviderConfig, {
    root,
    cluster,
    track: true,
    serviceAccountTokens: true,
  });
  const { config } = await readProviderConfig(join(root, "credential-providers.json"));
  return {
    files,
    providers: {
      tokens: true,
      registered,
      configs: config.providers,
      runs: new ProviderRuns(runProgram, lab.clock.now),
    },
  };
}

function describe({ outcome }: ImageTrace): string {
  return outcome.state === "failed" ? (outcome.reason ?? "") : outcome.state;
}

/** Undefined where the first attempt wasn't this container's own. */
function expectedOf(
  image: ImageTrace,
  events: readonly RecordedEvent[],
  { samples }: Recording,
): string | undefined {
  const { slot, name } = image;
  const place = slot.field.replace(/\[\d+\]\.image$/, `{${slot.name}}`);
  // What is about an image volume has no place, and fails the containers besides.
  const own = events.filter(({ fieldPath, message }) =>
    slot.kind === "volume"
      ? (fieldPath ?? null) === null && message.includes(name.written)
      : fieldPath === place,
  );
  const first = own.find(
    ({ reason, message }) =>
      /^(Pulled|BackOff|ErrImageNeverPull|InspectFailed)$/.test(reason) ||
      message.startsWith("Failed to pull image") ||
      /^Error: (?!Err|Image)/.test(message),
  );
  if (first === undefined || first.reason === "BackOff") return undefined;
  if (first.reason === "Pulled")
    return first.message.startsWith("Successfully pulled") ? "pullable" : "present";
  if (first.reason === "ErrImageNeverPull") return first.reason;
  if (first.message.startsWith("Failed to pull image")) return "ErrImagePull";
  if (first.reason === "InspectFailed")
    return /apply default image tag/.test(first.message) ? "InvalidImageName" : "ImageInspectError";
  const statuses = samples.flatMap((sample) => [
    ...(sample.containerStatuses ?? []),
    ...(sample.initContainerStatuses ?? []),
  ]);
  const waiting = statuses.find(
    (status) =>
      status.name === slot.name &&
      status.image === name.written &&
      ![undefined, "ContainerCreating", "PodInitializing"].includes(status.state.waiting?.reason),
  );
  return waiting?.state.waiting?.reason;
}
