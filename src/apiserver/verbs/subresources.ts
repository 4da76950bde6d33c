/** The subresources that are verbs in disguise: binding, eviction, scale, token, finalize, log. */
import {
  badRequest,
  conflict,
  failure,
  invalid,
  type JsonObject,
  type KubernetesObject,
  notFound,
  type Status,
} from "../../kubernetes/index.ts";
import { requiredField, unsupportedField } from "../../internal/kubernetes/field-error.ts";
import { requestToken } from "../auth/service-account-tokens.ts";
import { formatTime } from "../clock.ts";
import type { BodyKind } from "../rules.ts";
import type { StoredObject } from "../storage/storage.ts";
import { admitMutating, admitValidating } from "./admit.ts";
import type { ApiCall, ApiContext, CallBody } from "./context.ts";
import { deleteObject } from "./delete.ts";
import { checkDeleteOptions } from "./delete-options.ts";
import { namespaceFinalizers } from "./graceful-deletion.ts";
import { mutateStored } from "./mutate.ts";
import { otherUid } from "./names.ts";
import { presentObject, presentStored, type Presented } from "./present.ts";
import { getStored } from "./read.ts";
import { checkRevision } from "./revision.ts";

const SUCCESS: Status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };

const EVICTION: BodyKind = {
  group: "policy",
  version: "v1",
  kind: "Eviction",
  schema: "io.k8s.api.policy.v1.Eviction",
  message: "k8s.io.api.policy.v1.Eviction",
};
const TOKEN_REQUEST: BodyKind = {
  group: "authentication.k8s.io",
  version: "v1",
  kind: "TokenRequest",
  schema: "io.k8s.api.authentication.v1.TokenRequest",
  message: "k8s.io.api.authentication.v1.TokenRequest",
};
export const BINDING: BodyKind = {
  group: "",
  version: "v1",
  kind: "Binding",
  schema: "io.k8s.api.core.v1.Binding",
  message: "k8s.io.api.core.v1.Binding",
};

export function decodeAs(
  context: ApiContext,
  call: ApiCall,
  it: { body: CallBody; kind: BodyKind },
): KubernetesObject {
  const { bytes, contentType } = it.body;
  const { fieldValidation } = call;
  const { object, warnings } = context.rules.decode(bytes, { contentType, kind: it.kind, fieldValidation });
  for (const warning of warnings) call.warnings.add(warning);
  return object;
}

/** Puts a Pod on a node, once. */
export async function bindPod(context: ApiContext, call: ApiCall, body: CallBody): Promise<Status> {
  const binding = decodeAs(context, call, { body, kind: BINDING });
  const name = call.name === "" ? (binding.metadata.name ?? "") : call.name;
  const target = (binding["target"] ?? {}) as { readonly kind?: string; readonly name?: string };
  const { kind = "" } = target;
  const errors = [
    ...(kind === "" || kind === "Node" ? [] : [unsupportedField("target.kind", kind, ["Node", "<empty>"])]),
    ...((target.name ?? "") === "" ? [requiredField("target.name")] : []),
  ];
  if (errors.length > 0) throw invalid({ group: "", kind: "Binding", name }, errors);
  const key = { resource: "pods", namespace: call.namespace, name };
  const subject = { group: "", kind: "pods/binding", name };
  const now = formatTime(context.clock.now());
  const assign = (pod: KubernetesObject): KubernetesObject => {
    const spec = pod["spec"] as JsonObject & { readonly nodeName?: string };
    if (pod.metadata.deletionTimestamp !== undefined) {
      throw conflict(subject, `pod ${name} is being deleted, cannot be assigned to a host`);
    }
    if ((spec.nodeName ?? "") !== "") {
      throw conflict(subject, `pod ${name} is already assigned to node "${spec.nodeName}"`);
    }
    return { ...pod, spec: { ...spec, nodeName: target.name }, status: scheduled(pod, now) };
  };
  if (call.dryRun) {
    const found = await context.storage.find(key);
    if (found === undefined) throw notFound({ group: "", kind: "pods", name });
    assign(found.object);
    return SUCCESS;
  }
  const bound = await mutateStored(context.storage, key, assign);
  if (bound === undefined) throw notFound({ group: "", kind: "pods", name });
  return SUCCESS;
}

function scheduled(pod: KubernetesObject, time: string): JsonObject {
  const status = (pod["status"] ?? {}) as { readonly conditions?: readonly JsonObject[] };
  const others = (status.conditions ?? []).filter((one) => one["type"] !== "PodScheduled");
  const { generation } = pod.metadata;
  const condition: JsonObject = {
    type: "PodScheduled",
    ...(generation !== undefined && { observedGeneration: generation }),
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: time,
  };
  return { ...status, conditions: [...others, condition] } as JsonObject;
}

/** A deletion that would ask budgets for leave, were there any. */
export async function evictPod(context: ApiContext, call: ApiCall, body: CallBody): Promise<Status> {
  const eviction = decodeAs(context, call, { body, kind: EVICTION });
  const { name = call.name } = eviction.metadata;
  if (name !== call.name) {
    throw badRequest(`name in URL does not match name in Eviction object`);
  }
  const options = (eviction["deleteOptions"] ?? {}) as JsonObject;
  const dryRun = Array.isArray(options["dryRun"]) ? (options["dryRun"] as readonly string[]) : [];
  const pod = { ...call, subresource: "" };
  await deleteObject(context, pod, checkDeleteOptions(options, call.dryRun ? ["All"] : dryRun));
  return SUCCESS;
}

export async function issueToken(context: ApiContext, call: ApiCall, body: CallBody): Promise<Presented> {
  const request = decodeAs(context, call, { body, kind: TOKEN_REQUEST });
  const { object: account } = await getStored(context, call);
  const { storage, clock, serviceAccountKey: key } = context;
  const change = { operation: "CREATE", object: request } as const;
  const admitted = (await admitMutating(context, call, change)) ?? request;
  await admitValidating(context, call, { ...change, object: admitted });
  const object = await requestToken({ storage, key, now: () => clock.now() }, account, admitted);
  return { object, text: JSON.stringify(object) };
}

/** Who held on to a namespace lets go of it; with the last one, it goes. */
export async function finalizeNamespace(
  context: ApiContext,
  call: ApiCall,
  body: CallBody,
): Promise<Presented> {
  const sent = decodeAs(context, call, { body, kind: call.resource });
  const { uid = "", resourceVersion } = sent.metadata;
  const current = await getStored(context, call);
  const { metadata } = current.object;
  if (uid !== "" && uid !== metadata.uid) {
    throw otherUid(call, uid, metadata.uid);
  }
  checkRevision(call, resourceVersion, current);
  if (call.dryRun) {
    return presentObject(call.resource, withFinalizers(current.object, namespaceFinalizers(sent)));
  }
  const stored = await setNamespaceFinalizers(context, call.name, namespaceFinalizers(sent));
  return presentStored(call.resource, stored ?? current);
}

async function setNamespaceFinalizers(
  context: Pick<ApiContext, "storage">,
  name: string,
  finalizers: readonly string[],
): Promise<StoredObject | undefined> {
  const key = { resource: "namespaces", namespace: "", name };
  return await mutateStored(context.storage, key, (it) => withFinalizers(it, finalizers));
}

function withFinalizers(namespace: KubernetesObject, finalizers: readonly string[]): KubernetesObject {
  const before = namespaceFinalizers(namespace);
  if (before.length === finalizers.length && before.every((one) => finalizers.includes(one)))
    return namespace;
  const { finalizers: _, ...spec } = (namespace["spec"] ?? {}) as JsonObject;
  return { ...namespace, spec: { ...spec, ...(finalizers.length > 0 && { finalizers }) } };
}

const WAITING: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: "trying and failing to pull image",
};

interface PodView {
  readonly containers?: readonly { readonly name: string }[];
  readonly initContainers?: readonly { readonly name: string }[];
  readonly ephemeralContainers?: readonly { readonly name: string }[];
}

interface ContainerStatus {
  readonly name: string;
  readonly state?: { readonly waiting?: { readonly reason?: string } };
}

/** Nothing runs here, so there's nothing to show; but why it doesn't run can be said as a kubelet says it. */
export async function refuseLog(context: ApiContext, call: ApiCall): Promise<never> {
  const { object: pod } = await getStored(context, call);
  const spec = (pod["spec"] ?? {}) as PodView;
  const all = [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...(spec.ephemeralContainers ?? []),
  ];
  const asked = call.query.get("container") ?? "";
  const names = (spec.containers ?? []).map((one) => one.name);
  if (asked === "" && names.length > 1) {
    throw badRequest(
      `a container name must be specified for pod ${call.name}, choose one of: [${names.join(" ")}]`,
    );
  }
  const name = asked === "" ? (names[0] ?? "") : asked;
  if (!all.some((one) => one.name === name))
    throw badRequest(`container ${name} is not valid for pod ${call.name}`);
  const status = (pod["status"] ?? {}) as Readonly<Record<string, readonly ContainerStatus[] | undefined>>;
  const found = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
    .flatMap((member) => status[member] ?? [])
    .find((one) => one.name === name);
  const reason = found?.state?.waiting?.reason;
  if (reason !== undefined) {
    throw badRequest(
      `container "${name}" in pod "${call.name}" is waiting to start: ${WAITING[reason] ?? reason}`,
    );
  }
  throw failure(
    "BadRequest",
    `container "${name}" in pod "${call.name}" has no logs: dray brings images to nodes and runs no containers`,
  );
}
