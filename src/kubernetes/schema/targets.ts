/** The kinds that a request's body may hold. */
import { type GroupVersionKind } from "../objects/object.ts";
import { API_RESOURCES } from "../objects/resources.ts";

/** What a body is decoded as; an `ApiResource` is one. */
export interface DecodeTarget extends GroupVersionKind {
  /** Such as `io.k8s.api.core.v1.Pod`. */
  readonly schema: string;
  /** Such as `k8s.io.api.core.v1.Pod`. */
  readonly message: string;
}

/** Kinds that only subresources speak of. */
const MORE: readonly DecodeTarget[] = [
  target("autoscaling", "autoscaling", "Scale"),
  target("policy", "policy", "Eviction"),
  target("authentication.k8s.io", "authentication", "TokenRequest"),
];

/** The body of a deletion; every group knows it under its own name. */
export const DELETE_OPTIONS: DecodeTarget = {
  group: "",
  version: "v1",
  kind: "DeleteOptions",
  schema: "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
  message: "k8s.io.apimachinery.pkg.apis.meta.v1.DeleteOptions",
};

const byName: ReadonlyMap<string, DecodeTarget> = new Map(
  [...API_RESOURCES, ...MORE].map((one) => [key(one), one]),
);
const GROUPS: ReadonlySet<string> = new Set(
  [...byName.values()].map((one) => one.group).concat("meta.k8s.io"),
);

export function findTarget(kind: GroupVersionKind): DecodeTarget | undefined {
  if (kind.kind === DELETE_OPTIONS.kind && kind.version === "v1" && GROUPS.has(kind.group)) {
    return { ...DELETE_OPTIONS, group: kind.group };
  }
  return byName.get(key(kind));
}

/** The package of the type that all versions of a kind are converted to, as error messages have it. */
export function internalPackage(target: DecodeTarget): string {
  // Both groups' events are one type there.
  if (target.group === "" || target.kind === "Event") return "core";
  return target.group.split(".")[0] ?? "";
}

/**
 * Kinds that are Kubernetes', not dray's. A body that holds one is of the wrong kind, rather than of a kind nobody
 * knows.
 */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  "": [
    "ComponentStatus",
    "Endpoints",
    "LimitRange",
    "List",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ResourceQuota",
    "Service",
    "Status",
  ],
  "admissionregistration.k8s.io": ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
  "authentication.k8s.io": ["TokenReview"],
  "authorization.k8s.io": ["LocalSubjectAccessReview", "SubjectAccessReview"],
  autoscaling: ["HorizontalPodAutoscaler"],
  "networking.k8s.io": ["Ingress", "IngressClass", "NetworkPolicy"],
  "node.k8s.io": ["RuntimeClass"],
  policy: ["PodDisruptionBudget"],
  "rbac.authorization.k8s.io": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
  "scheduling.k8s.io": ["PriorityClass"],
  "storage.k8s.io": ["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
};

export function isForeign(kind: GroupVersionKind): boolean {
  if (kind.version !== "v1") return false;
  const foreign = Object.hasOwn(FOREIGN, kind.group) ? FOREIGN[kind.group] : undefined;
  if (foreign?.includes(kind.kind) === true) return true;
  // A list is no object of its kind, either.
  const item = { ...kind, kind: kind.kind.slice(0, -"List".length) };
  return kind.kind.endsWith("List") && (byName.has(key(item)) || foreign?.includes(item.kind) === true);
}

function target(group: string, folder: string, kind: string): DecodeTarget {
  return {
    group,
    version: "v1",
    kind,
    schema: `io.k8s.api.${folder}.v1.${kind}`,
    message: `k8s.io.api.${folder}.v1.${kind}`,
  };
}

function key(kind: GroupVersionKind): string {
  return `${kind.group}/${kind.version}/${kind.kind}`;
}
