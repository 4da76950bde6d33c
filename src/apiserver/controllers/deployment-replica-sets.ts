/** A Deployment's ReplicaSets: one for each template it ever had, found by comparing templates, counted by revision. */
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { resolveCount } from "./counts.ts";
import {
  byAge,
  canonical,
  member,
  nameOf,
  numberOf,
  ownerReference,
  specOf,
  statusOf,
  textOf,
} from "./objects.ts";
import { hashTemplate } from "./template-hash.ts";

export const HASH_LABEL = "pod-template-hash";
export const REVISION = "deployment.kubernetes.io/revision";
const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";
export const DESIRED = "deployment.kubernetes.io/desired-replicas";
const MAX = "deployment.kubernetes.io/max-replicas";
/** Annotations of a Deployment that say nothing about its ReplicaSets. */
const OWN_ANNOTATIONS: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  REVISION,
  REVISION_HISTORY,
  DESIRED,
  MAX,
  "deprecated.deployment.rollback.to",
]);

export function replicasOf(object: KubernetesObject): number {
  return numberOf(specOf(object), "replicas") ?? 1;
}

export function sumOf(sets: readonly KubernetesObject[], read: (set: KubernetesObject) => number): number {
  return sets.reduce((sum, set) => sum + read(set), 0);
}

export function statusNumber(name: string): (set: KubernetesObject) => number {
  return (set) => numberOf(statusOf(set), name) ?? 0;
}

export function revisionOf(object: KubernetesObject): number {
  return Number(object.metadata.annotations?.[REVISION] ?? 0) || 0;
}

/** How many more and how many fewer Pods than asked for there may be during a rollout; never neither. */
export function bounds(deployment: KubernetesObject): {
  readonly surge: number;
  readonly unavailable: number;
} {
  const strategy = member(specOf(deployment), "strategy");
  if (textOf(strategy, "type") === "Recreate") return { surge: 0, unavailable: 0 };
  const rolling = member(strategy, "rollingUpdate");
  const replicas = replicasOf(deployment);
  const surge = resolveCount(rolling["maxSurge"] ?? "25%", replicas, "up");
  const unavailable = resolveCount(rolling["maxUnavailable"] ?? "25%", replicas, "down");
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, replicas) };
}

/** The ReplicaSet of the Deployment's present template; of several, the oldest. */
export function findNew(
  deployment: KubernetesObject,
  sets: readonly KubernetesObject[],
): KubernetesObject | undefined {
  const wanted = canonical(withoutHash(member(specOf(deployment), "template")));
  return sets
    .toSorted(byAge)
    .find((set) => canonical(withoutHash(member(specOf(set), "template"))) === wanted);
}

function withoutHash(template: JsonObject): JsonObject {
  const metadata = member(template, "metadata");
  const { [HASH_LABEL]: _, ...labels } = member(metadata, "labels");
  return { ...template, metadata: { ...metadata, labels } };
}

export function newReplicaSet(
  deployment: KubernetesObject,
  options: { readonly replicas: number; readonly revision: number },
): KubernetesObject {
  const spec = specOf(deployment);
  const template = member(spec, "template");
  const hash = hashTemplate(template, numberOf(statusOf(deployment), "collisionCount"));
  const metadata = member(template, "metadata");
  const selector = member(spec, "selector");
  const labels = { ...(member(metadata, "labels") as Record<string, string>), [HASH_LABEL]: hash };
  const { namespace } = deployment.metadata;
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${nameOf(deployment)}-${hash}`,
      ...(namespace !== undefined && { namespace }),
      labels,
      annotations: annotationsFor(deployment, undefined, options.revision),
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      replicas: options.replicas,
      ...(numberOf(spec, "minReadySeconds") !== undefined && { minReadySeconds: spec["minReadySeconds"] }),
      selector: { ...selector, matchLabels: { ...member(selector, "matchLabels"), [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...metadata, labels } },
    },
  };
}

/** The Deployment's annotations for its new ReplicaSet, whose revision only ever grows. */
export function annotationsFor(
  deployment: KubernetesObject,
  set: KubernetesObject | undefined,
  revision: number,
): Readonly<Record<string, string>> {
  const known = set?.metadata.annotations ?? {};
  const given = Object.entries(deployment.metadata.annotations ?? {}).filter(
    ([name]) => !OWN_ANNOTATIONS.has(name),
  );
  const old = known[REVISION];
  const grows = revision > (Number(old ?? 0) || 0);
  const history = known[REVISION_HISTORY];
  return {
    ...known,
    ...Object.fromEntries(given),
    ...(grows && { [REVISION]: String(revision) }),
    ...(grows &&
      old !== undefined && { [REVISION_HISTORY]: history === undefined ? old : `${history},${old}` }),
    ...scaleAnnotations(deployment),
  };
}

/** So that a change of the Deployment's size can be told from a step of a rollout. */
export function scaleAnnotations(deployment: KubernetesObject): Readonly<Record<string, string>> {
  const replicas = replicasOf(deployment);
  return { [DESIRED]: String(replicas), [MAX]: String(replicas + bounds(deployment).surge) };
}

/** What a ReplicaSet was allowed to have at most when it was last scaled. */
export function formerMaximum(set: KubernetesObject, deployment: KubernetesObject): number {
  return Number(set.metadata.annotations?.[MAX]) || Number(statusOf(deployment)["replicas"] ?? 0) || 0;
}
