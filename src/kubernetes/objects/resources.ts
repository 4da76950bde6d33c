/** The resources that matter to images: what a path names, and which schema lies behind it. */
import type { GroupVersionKind, GroupVersionResource } from "./object.ts";

export type Verb = "create" | "delete" | "deletecollection" | "get" | "list" | "patch" | "update" | "watch";

export interface ApiResource extends GroupVersionResource, GroupVersionKind {
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** Such as `all`, which stands for several resources at once. */
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  readonly subresources: readonly Subresource[];
  /** Its name in the OpenAPI documents, such as `io.k8s.api.core.v1.Pod`. */
  readonly schema: string;
  /** Its message in the protobuf encoding, such as `k8s.io.api.core.v1.Pod`. */
  readonly message: string;
  /** Kept and served again; false for what is only asked, such as an access review. */
  readonly stored: boolean;
}

export interface Subresource {
  /** The last segment of its path: `status`, `binding`, `token`… */
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** Where it speaks of another kind than its parent. */
  readonly kind?: GroupVersionKind;
}

const ALL_VERBS: readonly Verb[] = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
];

const CHANGE: readonly Verb[] = ["get", "patch", "update"];
const STATUS: Subresource = { name: "status", verbs: CHANGE };
const SCALE: Subresource = {
  name: "scale",
  verbs: CHANGE,
  kind: { group: "autoscaling", version: "v1", kind: "Scale" },
};

interface Row {
  readonly resource: string;
  readonly kind: string;
  readonly short?: readonly string[];
  readonly categories?: readonly string[];
  readonly cluster?: boolean;
  readonly verbs?: readonly Verb[];
  readonly subresources?: readonly Subresource[];
  readonly stored?: boolean;
}

const CREATE_ONLY = { verbs: ["create"], stored: false } as const;

const CORE: readonly Row[] = [
  { resource: "bindings", kind: "Binding", ...CREATE_ONLY },
  { resource: "configmaps", kind: "ConfigMap", short: ["cm"] },
  { resource: "events", kind: "Event", short: ["ev"] },
  {
    resource: "namespaces",
    kind: "Namespace",
    short: ["ns"],
    cluster: true,
    verbs: without("deletecollection"),
    subresources: [{ name: "finalize", verbs: ["update"] }, STATUS],
  },
  { resource: "nodes", kind: "Node", short: ["no"], cluster: true, subresources: [STATUS] },
  {
    resource: "pods",
    kind: "Pod",
    short: ["po"],
    categories: ["all"],
    subresources: [
      { name: "binding", verbs: ["create"], kind: { group: "", version: "v1", kind: "Binding" } },
      { name: "ephemeralcontainers", verbs: CHANGE },
      { name: "eviction", verbs: ["create"], kind: { group: "policy", version: "v1", kind: "Eviction" } },
      { name: "log", verbs: ["get"] },
      STATUS,
    ],
  },
  { resource: "podtemplates", kind: "PodTemplate" },
  {
    resource: "replicationcontrollers",
    kind: "ReplicationController",
    short: ["rc"],
    categories: ["all"],
    subresources: [SCALE, STATUS],
  },
  { resource: "secrets", kind: "Secret" },
  {
    resource: "serviceaccounts",
    kind: "ServiceAccount",
    short: ["sa"],
    subresources: [
      {
        name: "token",
        verbs: ["create"],
        kind: { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" },
      },
    ],
  },
];

const APPS: readonly Row[] = [
  { resource: "controllerrevisions", kind: "ControllerRevision" },
  { resource: "daemonsets", kind: "DaemonSet", short: ["ds"], categories: ["all"], subresources: [STATUS] },
  {
    resource: "deployments",
    kind: "Deployment",
    short: ["deploy"],
    categories: ["all"],
    subresources: [SCALE, STATUS],
  },
  {
    resource: "replicasets",
    kind: "ReplicaSet",
    short: ["rs"],
    categories: ["all"],
    subresources: [SCALE, STATUS],
  },
  {
    resource: "statefulsets",
    kind: "StatefulSet",
    short: ["sts"],
    categories: ["all"],
    subresources: [SCALE, STATUS],
  },
];

const GROUPS: readonly (readonly [group: string, folder: string, rows: readonly Row[]])[] = [
  ["", "core", CORE],
  ["apps", "apps", APPS],
  [
    "batch",
    "batch",
    [
      { resource: "cronjobs", kind: "CronJob", short: ["cj"], categories: ["all"], subresources: [STATUS] },
      { resource: "jobs", kind: "Job", categories: ["all"], subresources: [STATUS] },
    ],
  ],
  [
    "authentication.k8s.io",
    "authentication",
    [{ resource: "selfsubjectreviews", kind: "SelfSubjectReview", cluster: true, ...CREATE_ONLY }],
  ],
  [
    "authorization.k8s.io",
    "authorization",
    [
      {
        resource: "selfsubjectaccessreviews",
        kind: "SelfSubjectAccessReview",
        cluster: true,
        ...CREATE_ONLY,
      },
      { resource: "selfsubjectrulesreviews", kind: "SelfSubjectRulesReview", cluster: true, ...CREATE_ONLY },
    ],
  ],
  ["coordination.k8s.io", "coordination", [{ resource: "leases", kind: "Lease" }]],
  ["events.k8s.io", "events", [{ resource: "events", kind: "Event", short: ["ev"] }]],
];

/** In the order of discovery. All have one version, `v1`. */
export const API_RESOURCES: readonly ApiResource[] = GROUPS.flatMap(([group, folder, rows]) =>
  rows.map((row) => ({
    group,
    version: "v1",
    kind: row.kind,
    resource: row.resource,
    singular: row.kind.toLowerCase(),
    shortNames: row.short ?? [],
    categories: row.categories ?? [],
    namespaced: row.cluster !== true,
    verbs: row.verbs ?? ALL_VERBS,
    subresources: row.subresources ?? [],
    schema: `io.k8s.api.${folder}.v1.${row.kind}`,
    message: `k8s.io.api.${folder}.v1.${row.kind}`,
    stored: row.stored ?? true,
  })),
);

export function findResource(name: GroupVersionResource): ApiResource | undefined {
  return API_RESOURCES.find(
    (one) => one.resource === name.resource && one.group === name.group && one.version === name.version,
  );
}

export function findKind(kind: GroupVersionKind): ApiResource | undefined {
  return API_RESOURCES.find(
    (one) => one.kind === kind.kind && one.group === kind.group && one.version === kind.version,
  );
}

function without(verb: Verb): readonly Verb[] {
  return ALL_VERBS.filter((one) => one !== verb);
}
