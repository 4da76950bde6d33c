/** What an API server that has our admission makes of an object, and of the Pods that come of it. */
import {
  type AdmissionDecision,
  type AdmissionPlugin,
  type AdmissionReason,
  type AdmissionRequest,
  type ImageSlot,
  listImages,
  podSpecPlace,
  runAdmission,
  serviceAccountAdmission,
  type ServiceAccountRead,
} from "../../admission/index.ts";
import { namespaceOf, podOf, templatePath } from "../../explain/index.ts";
import {
  applyDefaults,
  createJsonPatch,
  findKind,
  type JsonObject,
  type KubernetesObject,
  notFound,
  parseApiVersion,
  prepareForCreate,
  validateCreate,
} from "../../kubernetes/index.ts";

export interface JudgeOptions {
  readonly chain: readonly AdmissionPlugin[];
  /** Undefined where nobody knows of it. */
  readonly account: (namespace: string, name: string) => KubernetesObject | undefined;
  /** What isn't given isn't there. */
  readonly complete: boolean;
  readonly signal: AbortSignal;
}

export interface Change {
  readonly before: string | undefined;
  readonly after: string;
  /** The plugin, or `default`. */
  readonly by: string;
}

/** One container, or one image volume. */
export interface JudgedImage {
  readonly slot: ImageSlot;
  readonly image: string;
  readonly becomes?: Change | undefined;
  readonly policy?: Change | undefined;
}

export interface Judgement {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly allowed: boolean;
  /** Why not; a sentence each. */
  readonly refusals: readonly { readonly field: string; readonly message: string }[];
  readonly warnings: readonly string[];
  readonly images: readonly JudgedImage[];
  /** Secrets that its ServiceAccount adds. */
  readonly pullSecrets: readonly string[];
  /** What the webhook would answer for the object itself: a JSON Patch. */
  readonly patch: ReturnType<typeof createJsonPatch>;
  /** And for each Pod made of it. */
  readonly podPatch: ReturnType<typeof createJsonPatch>;
}

/** Undefined for what makes no Pods. */
export async function judge(object: KubernetesObject, options: JudgeOptions): Promise<Judgement | undefined> {
  const sent = podOf(object);
  if (sent === undefined) return undefined;
  const { chain, signal } = options;
  const namespace = namespaceOf(object);
  const stated = applyDefaults({ ...object, metadata: { ...object.metadata, namespace } });
  const isPod = object.kind === "Pod";
  const owner = isPod ? undefined : await admitOwner(stated, { chain, signal });
  const kept = owner?.allowed === true ? (owner.object ?? stated) : stated;
  const pod = isPod ? stated : (podOf(kept) ?? sent);
  const accounts = serviceAccountAdmission({ accounts: { read: readAccount(options) }, mountToken: false });
  const plugins = [accounts, ...chain];
  const request = requestFor(pod, "pods", "Pod");
  const made = await runAdmission(plugins, request, { between: applyDefaults, signal });
  // What is refused was changed before.
  const changed = made.allowed
    ? made
    : await runAdmission(plugins, request, { phase: "admit", between: applyDefaults, signal });
  const after = changed.allowed ? (changed.object ?? pod) : pod;
  const decisions = owner === undefined ? [made] : [owner, made];
  const refusals = decisions.flatMap(refusalsOf);
  const faults = refusals.length > 0 ? [] : validateCreate(prepareForCreate(isPod ? after : kept));
  const reasons = decisions.flatMap((decision) => decision.reasons);
  return {
    kind: object.kind,
    namespace,
    name: object.metadata.name ?? object.metadata.generateName ?? "",
    allowed: refusals.length === 0 && faults.length === 0,
    refusals: unique([...refusals, ...faults.map(({ field, message }) => ({ field, message }))]),
    warnings: [...new Set(decisions.flatMap(({ warnings }) => warnings))],
    images: imagesOf(writtenSpec(object), { after, reasons }),
    pullSecrets: secretNames(pod).length > 0 ? [] : secretNames(after),
    patch: createJsonPatch(stated as JsonObject, (isPod ? after : kept) as JsonObject),
    podPatch: isPod ? [] : createJsonPatch(pod as JsonObject, after as JsonObject),
  };
}

/** Templates of kinds that we don't know are judged by their Pods alone. */
async function admitOwner(
  object: KubernetesObject,
  { chain, signal }: Pick<JudgeOptions, "chain" | "signal">,
): Promise<AdmissionDecision | undefined> {
  const resource = findKind({ ...parseApiVersion(object.apiVersion), kind: object.kind });
  if (resource === undefined || podSpecPlace(resource) === undefined) return undefined;
  const request = requestFor(object, resource.resource, object.kind);
  return await runAdmission(chain, request, { between: applyDefaults, signal });
}

function requestFor(object: KubernetesObject, resource: string, kind: string): AdmissionRequest {
  const { group, version } = parseApiVersion(object.apiVersion);
  return {
    operation: "CREATE",
    resource: { group, version, resource },
    kind: { group, version, kind },
    subresource: "",
    name: object.metadata.name ?? "",
    namespace: namespaceOf(object),
    object,
    dryRun: true,
    user: { name: "dray", groups: [] },
  };
}

function readAccount({ account, complete }: JudgeOptions): ServiceAccountRead {
  return ({ namespace, name }) => {
    const found = account(namespace, name);
    if (found !== undefined) return found;
    // Every namespace has one of this name, written down or not.
    if (complete && name !== "default") throw notFound({ group: "", kind: "serviceaccount", name });
    return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } };
  };
}

function refusalsOf(decision: AdmissionDecision): Judgement["refusals"] {
  if (decision.allowed) return [];
  const { message = "refused", details } = decision.status;
  const field = details?.causes?.[0]?.field ?? "";
  return [{ field, message }];
}

function unique(list: Judgement["refusals"]): Judgement["refusals"] {
  // The Pods of a template break the rule that the template breaks.
  const tails = new Map(list.toReversed().map((one) => [one.message.replace(/^.* is forbidden: /, ""), one]));
  return [...tails.values()].toReversed();
}

function imagesOf(
  written: JsonObject,
  { after, reasons }: { readonly after: KubernetesObject; readonly reasons: readonly AdmissionReason[] },
): readonly JudgedImage[] {
  const spec = objectAt(after, "spec");
  const before = new Map(listImages(written).map((slot) => [slot.field, slot]));
  return listImages(spec).map((slot) => {
    const image = before.get(slot.field)?.image ?? slot.image;
    const member = slot.list === "volumes" ? "pullPolicy" : "imagePullPolicy";
    const policy = { before: policyOf(written, slot, member), after: policyOf(spec, slot, member) };
    const by = (end: string): string => reasons.find(({ field }) => field.endsWith(end))?.plugin ?? "default";
    const place = slot.field.replace(/\.(image|reference)$/, "");
    return {
      slot,
      image,
      ...(image !== slot.image && { becomes: { before: image, after: slot.image, by: by(slot.field) } }),
      ...(policy.after !== undefined &&
        policy.after !== policy.before && {
          policy: { before: policy.before, after: policy.after, by: by(`${place}.${member}`) },
        }),
    };
  });
}

function policyOf(spec: JsonObject, { list, index }: ImageSlot, member: string): string | undefined {
  const owners = spec[list];
  const owner: unknown = Array.isArray(owners) ? owners[index] : undefined;
  const value = list === "volumes" ? objectAt(owner, "image")[member] : objectAt(owner)[member];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function secretNames(pod: KubernetesObject): readonly string[] {
  const list = objectAt(pod, "spec")["imagePullSecrets"];
  if (!Array.isArray(list)) return [];
  return list.flatMap((one) => {
    const { name } = objectAt(one);
    return typeof name === "string" ? [name] : [];
  });
}

function writtenSpec(object: KubernetesObject): JsonObject {
  return objectAt(object, ...(templatePath(object) ?? []), "spec");
}

function objectAt(value: unknown, ...path: readonly string[]): JsonObject {
  let at: unknown = value;
  for (const member of path) at = isObject(at) ? at[member] : undefined;
  return isObject(at) ? at : {};
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
