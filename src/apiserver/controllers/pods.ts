import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import {
  isDeleting,
  isObject,
  listOf,
  nameOf,
  numberOf,
  specOf,
  statusOf,
  textOf,
  timeOf,
} from "./objects.ts";

export function phaseOf(pod: KubernetesObject): string {
  return textOf(statusOf(pod), "phase") ?? "Pending";
}

export function nodeOf(pod: KubernetesObject): string | undefined {
  return textOf(specOf(pod), "nodeName");
}

export function isFinished(pod: KubernetesObject): boolean {
  const phase = phaseOf(pod);
  return phase === "Succeeded" || phase === "Failed";
}

/** Counts towards replicas: it runs, or may come to. */
export function isActive(pod: KubernetesObject): boolean {
  return !isFinished(pod) && !isDeleting(pod);
}

export function conditionOf(object: KubernetesObject, type: string): JsonObject | undefined {
  return listOf(statusOf(object), "conditions").find((condition) => condition["type"] === type);
}

export function isReady(pod: KubernetesObject): boolean {
  return conditionOf(pod, "Ready")?.["status"] === "True";
}

/** Ready for as long as was asked. */
export function isAvailable(pod: KubernetesObject, minReadySeconds: number, now: number): boolean {
  return isReady(pod) && availableIn(pod, minReadySeconds, now) <= 0;
}

/** Milliseconds until a ready Pod counts as available. */
export function availableIn(pod: KubernetesObject, minReadySeconds: number, now: number): number {
  if (minReadySeconds === 0) return 0;
  const since = timeOf(conditionOf(pod, "Ready") ?? {}, "lastTransitionTime") ?? now;
  return since + minReadySeconds * 1000 - now;
}

/** When to look again, for Pods that are ready and not yet available. */
export function nextAvailability(
  pods: readonly KubernetesObject[],
  minReadySeconds: number,
  now: number,
): number | undefined {
  const waits = pods
    .filter((pod) => isReady(pod))
    .map((pod) => availableIn(pod, minReadySeconds, now))
    .filter((wait) => wait > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}

const PHASES = ["Pending", "Unknown", "Running"];
const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";

/** Those that are missed least come first. */
export function byDispensability(one: KubernetesObject, other: KubernetesObject): number {
  const ranks = [rankOf(one), rankOf(other)] as const;
  for (const [index, rank] of ranks[0].entries()) {
    const difference = rank - (ranks[1][index] ?? 0);
    if (difference !== 0) return difference;
  }
  return nameOf(one) < nameOf(other) ? -1 : 1;
}

function rankOf(pod: KubernetesObject): readonly number[] {
  const ready = conditionOf(pod, "Ready");
  return [
    nodeOf(pod) === undefined ? 0 : 1,
    PHASES.indexOf(phaseOf(pod)),
    isReady(pod) ? 1 : 0,
    Number(pod.metadata.annotations?.[DELETION_COST] ?? 0) || 0,
    // Ready since lately, restarted often, made lately: in this order, the greater first.
    isReady(pod) ? -(timeOf(ready ?? {}, "lastTransitionTime") ?? 0) : 0,
    -restartsOf(pod),
    -(timeOf(pod.metadata, "creationTimestamp") ?? 0),
  ];
}

function restartsOf(pod: KubernetesObject): number {
  return Math.max(
    0,
    ...listOf(statusOf(pod), "containerStatuses").map((status) => numberOf(status, "restartCount") ?? 0),
  );
}

/** A Pod as a template asks for it, without a name. */
export function podFrom(template: JsonObject): { readonly metadata: JsonObject; readonly spec: JsonObject } {
  const { metadata, spec } = template;
  const { labels, annotations, finalizers } = isObject(metadata) ? metadata : {};
  return {
    metadata: {
      ...(labels !== undefined && { labels }),
      ...(annotations !== undefined && { annotations }),
      ...(finalizers !== undefined && { finalizers }),
    },
    spec: isObject(spec) ? spec : {},
  };
}
