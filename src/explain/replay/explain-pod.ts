/** All images of one Pod, on one node. */
import { type ImageSlot, listImages } from "../../admission/index.ts";
import type { PodIdentity } from "../../credentials/index.ts";
import { PullManager } from "../../images/index.ts";
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { formatFullPlatform } from "../../oci/index.ts";
import { classifyImage } from "../causes/classify-image.ts";
import { classifyPod } from "../causes/classify-pod.ts";
import { objectAt, objectsAt, textAt } from "../json.ts";
import type {
  ConditionTrace,
  ImageTrace,
  NodeTrace,
  OutcomeTrace,
  PodTrace,
  SlotTrace,
  Subject,
} from "../trace.ts";
import { observe } from "../world/observe.ts";
import { isStored, makerOf, namespaceOf, podOf, writtenSpec } from "../world/pod-of.ts";
import type { NodeSituation, Situation, Workload } from "../world/situation.ts";
import { pullSecretNames, storePod } from "../world/store-pod.ts";
import type { Conversation } from "./conversation.ts";
import { DryRecords } from "./dry-records.ts";
import type { DryRuntime } from "./dry-runtime.ts";
import { explainImage, type PodReplay } from "./explain-image.ts";
import type { Redactor } from "../../internal/redactor.ts";
import { findSecrets } from "./secret-sources.ts";
import { tracePolicy } from "./trace-name.ts";

/** What one explanation shares between its Pods. */
export interface Replaying {
  readonly situation: Situation;
  readonly conversation: Conversation | undefined;
  readonly redactor: Redactor;
  readonly unseen: Set<string>;
  /** A runtime for each node, which asks for nothing twice. */
  readonly runtimeOf: (node: NodeSituation) => DryRuntime;
  readonly hosts: PodReplay["hosts"];
  readonly hostNotes: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** Undefined for objects without Pods. */
export async function explainPod(
  workload: Workload,
  node: NodeSituation,
  replaying: Replaying,
): Promise<PodTrace | undefined> {
  const { situation, signal, unseen } = replaying;
  const { object } = workload;
  const sent = podOf(object);
  if (sent === undefined) return undefined;
  const { surroundings } = situation;
  const stored = object.kind === "Pod" && isStored(object);
  const { pod, admission, account } = await storePod(sent, {
    surroundings,
    plugins: situation.admission,
    stored,
    signal,
  });
  const namespace = namespaceOf(pod);
  const names = pullSecretNames(pod);
  const secrets = await findSecrets(names, { namespace, surroundings, signal });
  for (const { name, seen } of secrets) {
    if (seen.state === "unseen") unseen.add(`Secret ${namespace}/${name}: ${seen.why}`);
    if (seen.state !== "found" && seen.state !== "refused") continue;
    for (const [key, bytes] of Object.entries(seen.value.data)) hide(key, bytes, replaying.redactor);
  }
  if (account.state === "unseen")
    unseen.add(`ServiceAccount ${namespace}/${account.name}: ${account.why ?? ""}`);
  const owner = stored ? await surroundings.ownerOf(pod, { signal }) : undefined;
  const events = stored ? await surroundings.events(pod, { signal }) : ({ state: "missing" } as const);
  if (events.state === "unseen")
    unseen.add(`events of Pod ${namespace}/${pod.metadata.name ?? ""}: ${events.why}`);
  const identity: PodIdentity = {
    namespace,
    name: pod.metadata.name ?? "",
    uid: pod.metadata.uid ?? "",
    serviceAccountName: account.name,
  };
  const records = node.records && new DryRecords(node.records.shelves);
  const replay: PodReplay = {
    ...replaying,
    runtime: replaying.runtimeOf(node),
    access: openAccess(records, node, situation),
    identity,
    secrets,
    has: node.images?.has?.bind(node.images),
  };
  const subject = describeSubject(workload, { pod, stored, owner: owner?.object });
  const nodeTrace = describeNode(node, pod);
  const written = writtenSpec(object);
  const conditions = stored ? describeConditions(pod) : [];
  const bare = {
    subject,
    node: nodeTrace,
    admission,
    account,
    ...(conditions.length > 0 && { conditions }),
  };
  const pullSecrets = { from: secretsFrom(written, names), names };
  const spec = objectAt(pod, "spec");
  const slots = listImages(spec);
  // What the cluster says of a Pod is what its own node says.
  const own = textAt(spec, "nodeName");
  const elsewhere = own !== "" && node.name !== undefined && node.name !== own;
  const explained = new Map<ImageSlot, ImageTrace>();
  replay.runtime.beginPod();
  const missing = secrets.filter(({ seen }) => seen.state === "missing").map(({ name }) => name);
  const others = lazily(() => surroundings.otherSecrets(namespace, { missing, signal }));
  for (const slot of inNodeOrder(slots)) {
    const unmountable = failedMount(slot, { spec, explained });
    // For a container that can't start anyway nothing is pulled: what would come for it, and what would be noted of
    // that, is of no use to the others.
    const access =
      unmountable === undefined || records === undefined
        ? replay.access
        : openAccess(new DryRecords(records), node, situation);
    const image = await explainImage(
      { slot: describeSlot(slot), image: slot.image, policy: policyOf(slot, { pod, written, stored }) },
      { ...replay, access },
    );
    if (image.outcome.state === "pullable" && unmountable === undefined) replay.runtime.keep();
    const template = templateImage(slot, owner?.object, written);
    const name = template === undefined ? image.name : { ...image.name, template };
    const observed = elsewhere
      ? undefined
      : observe({
          pod,
          slot: image.slot,
          image: slot.image,
          events: events.state === "found" ? events.value : [],
          outcome: unmountable ?? image.outcome,
          untold: image.content?.layers.some(({ state }) => state === "untold") === true,
          now: situation.now(),
        });
    explained.set(slot, { ...image, name, ...(observed !== undefined && { observed }), causes: [] });
  }
  // One Secret serves all images, so what is to be said of it takes all of them.
  const all = slots.flatMap((slot) => explained.get(slot) ?? []);
  const images: ImageTrace[] = [];
  for (const image of all) {
    const causes = await classifyImage(image, {
      pod: { ...bare, pullSecrets },
      others,
      images: all,
      hostNotes: replaying.hostNotes,
      now: situation.now(),
    });
    images.push({ ...image, causes });
  }
  const trace = { ...bare, pullSecrets, images, causes: [] };
  return { ...trace, causes: classifyPod(trace, { pod, assigned: textAt(pod, "spec", "nodeName") }) };
}

const TURNS = ["volumes", "initContainers", "containers", "ephemeralContainers"] as const;

/** One image may be there because another came before it. */
function inNodeOrder(slots: readonly ImageSlot[]): readonly ImageSlot[] {
  return TURNS.flatMap((list) => slots.filter((slot) => slot.list === list));
}

/** A container that mounts an image which doesn't come tells of that one, whatever its own image does. */
function failedMount(
  slot: ImageSlot,
  of: { readonly spec: JsonObject; readonly explained: ReadonlyMap<ImageSlot, ImageTrace> },
): OutcomeTrace | undefined {
  const container = objectsAt(of.spec, slot.list)[slot.index];
  const mounts = objectsAt(container, "volumeMounts").map((mount) => textAt(mount, "name"));
  const failures = [...of.explained].filter(
    ([{ list }, { outcome }]) => list === "volumes" && outcome.state === "failed",
  );
  const names = failures.map(([{ name }]) => name);
  const last = mounts.findLast((name) => names.includes(name));
  return failures.find(([{ name }]) => name === last)?.[1].outcome;
}

function openAccess(
  shelves: DryRecords | undefined,
  { records }: NodeSituation,
  { now, ensureSecretPulled }: Situation,
): PullManager | undefined {
  if (shelves === undefined || records === undefined || ensureSecretPulled === false) return undefined;
  return new PullManager({ records: shelves, policy: records.policy, now });
}

/** All that a pull secret holds, also where it can't be read. */
function hide(key: string, bytes: Uint8Array, redactor: Redactor): void {
  const text = Buffer.from(bytes).toString("utf8");
  redactor.add(text);
  if (!key.startsWith(".docker")) return;
  for (const [, name = "", value = ""] of text.matchAll(
    /"(password|auth|identitytoken|registrytoken)"\s*:\s*"([^"]*)"/gi,
  )) {
    redactor.add(value);
    if (name.toLowerCase() !== "auth") continue;
    const login = Buffer.from(value, "base64").toString("utf8");
    const colon = login.indexOf(":");
    if (colon >= 0) redactor.addLogin(login.slice(0, colon), login.slice(colon + 1));
  }
}

function describeSubject(
  { object, file, line }: Workload,
  known: {
    readonly pod: KubernetesObject;
    readonly stored: boolean;
    readonly owner: KubernetesObject | undefined;
  },
): Subject {
  const { pod, stored } = known;
  const maker = makerOf(pod, known.owner);
  const owner = maker && { kind: maker.kind, name: maker.name };
  return {
    kind: object.kind,
    namespace: namespaceOf(object),
    name: textAt(object, "metadata", "name") || textAt(object, "metadata", "generateName"),
    ...(file !== undefined && { file }),
    ...(line !== undefined && { line }),
    stored,
    ...(stored && owner !== undefined && { owner }),
  };
}

function describeConditions(pod: KubernetesObject): readonly ConditionTrace[] {
  return objectsAt(pod, "status", "conditions").map((condition) => {
    const [reason, message] = [textAt(condition, "reason"), textAt(condition, "message")];
    return {
      type: textAt(condition, "type"),
      status: textAt(condition, "status"),
      ...(reason !== "" && { reason }),
      ...(message !== "" && { message }),
    };
  });
}

function describeNode({ name, platform, object }: NodeSituation, pod: KubernetesObject): NodeTrace {
  const assigned = name ?? (textAt(pod, "spec", "nodeName") || undefined);
  const troubles = objectsAt(object, "status", "conditions").flatMap((condition) => {
    const [type, status] = [textAt(condition, "type"), textAt(condition, "status")];
    const bad =
      type === "Ready" ? status !== "True" : /Pressure$|^NetworkUnavailable$/.test(type) && status === "True";
    return bad ? [{ type, message: textAt(condition, "message") }] : [];
  });
  return {
    ...(assigned !== undefined && { name: assigned }),
    platform: formatFullPlatform(platform),
    troubles,
  };
}

const KINDS = {
  containers: "container",
  initContainers: "init",
  ephemeralContainers: "ephemeral",
  volumes: "volume",
} as const;

function describeSlot({ list, name, field }: ImageSlot): SlotTrace {
  return { kind: KINDS[list], name, field: `spec.${field}` };
}

function policyOf(
  slot: ImageSlot,
  from: { readonly pod: KubernetesObject; readonly written: JsonObject; readonly stored: boolean },
): ImageTrace["policy"] {
  const read = (spec: JsonObject): string => {
    const owner = objectsAt(spec, slot.list)[slot.index];
    return slot.list === "volumes" ? textAt(owner, "image", "pullPolicy") : textAt(owner, "imagePullPolicy");
  };
  const value = read(objectAt(from.pod, "spec"));
  return tracePolicy({ image: slot.image, value, written: read(from.written), stored: from.stored });
}

/** What the template, or the manifest, has in the place of this image, if that is something else. */
function templateImage(
  { list, name, index, image }: ImageSlot,
  owner: KubernetesObject | undefined,
  written: JsonObject,
): string | undefined {
  const spec = owner === undefined ? written : writtenSpec(owner);
  const named = listImages(spec).filter((slot) => slot.list === list && slot.name === name);
  // Two of one name are a mistake, and not one of a webhook.
  const other = (named.find((slot) => slot.index === index) ?? named[0])?.image;
  return other === undefined || other === image ? undefined : other;
}

function secretsFrom(written: JsonObject, names: readonly string[]): PodTrace["pullSecrets"]["from"] {
  if (names.length === 0) return "none";
  return objectsAt(written, "imagePullSecrets").length > 0 ? "pod" : "service-account";
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
