/** What a Deployment says about itself; `kubectl rollout status` and `kubectl wait` read nothing else. */
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { type ConditionText, conditionsIn, dropCondition, setCondition } from "./conditions.ts";
import { bounds, replicasOf, statusNumber, sumOf } from "./deployment-replica-sets.ts";
import { nameOf, numberOf, specOf, statusOf, timeOf } from "./objects.ts";

/** As good as no deadline. */
const NO_DEADLINE = 2_147_483_647;

export interface DeploymentView {
  readonly deployment: KubernetesObject;
  readonly newSet: KubernetesObject | undefined;
  readonly sets: readonly KubernetesObject[];
  readonly now: number;
  /** The name of a ReplicaSet that was made just now. */
  readonly created?: string | undefined;
}

export function deploymentStatus(view: DeploymentView): JsonObject {
  const { deployment, newSet, sets, now } = view;
  const old = statusOf(deployment);
  const available = sumOf(sets, statusNumber("availableReplicas"));
  const ready = sumOf(sets, statusNumber("readyReplicas"));
  const replicas = sumOf(sets, statusNumber("replicas"));
  const updated = newSet === undefined ? 0 : statusNumber("replicas")(newSet);
  const unavailable = Math.max(0, sumOf(sets, replicasOf) - available);
  const { collisionCount } = old;
  const counts = { replicas, updated, ready, available };
  let conditions = setCondition(conditionsIn(old), availability(deployment, available), {
    now,
    updateTime: true,
  });
  conditions = progress(view, conditions, counts);
  conditions = copyFailure(conditions, sets, now);
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...(replicas > 0 && { replicas }),
    ...(updated > 0 && { updatedReplicas: updated }),
    ...(ready > 0 && { readyReplicas: ready }),
    ...(available > 0 && { availableReplicas: available }),
    ...(unavailable > 0 && { unavailableReplicas: unavailable }),
    terminatingReplicas: sumOf(sets, statusNumber("terminatingReplicas")),
    conditions,
    ...(collisionCount !== undefined && { collisionCount }),
  };
}

/** Milliseconds after which a rollout that stands still has failed; `undefined` when none is under way. */
export function deadlineIn(deployment: KubernetesObject, now: number): number | undefined {
  const seconds = deadlineOf(deployment);
  const known = progressOf(conditionsIn(statusOf(deployment)));
  const settled =
    known?.["reason"] === "NewReplicaSetAvailable" || known?.["reason"] === "ProgressDeadlineExceeded";
  if (seconds === undefined || known === undefined || settled) return undefined;
  const since = timeOf(known, "lastUpdateTime") ?? now;
  // A second more: times are kept in whole ones.
  return Math.max(1000, since + seconds * 1000 - now + 1000);
}

export function isComplete(deployment: KubernetesObject, status: JsonObject): boolean {
  const wanted = replicasOf(deployment);
  const count = (name: string): number => numberOf(status, name) ?? 0;
  return (
    count("updatedReplicas") === wanted &&
    count("replicas") === wanted &&
    count("availableReplicas") === wanted
  );
}

interface Counts {
  readonly replicas: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
}

function availability(deployment: KubernetesObject, available: number): ConditionText {
  return available >= replicasOf(deployment) - bounds(deployment).unavailable
    ? {
        type: "Available",
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      }
    : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      };
}

function progress(
  view: DeploymentView,
  conditions: readonly JsonObject[],
  counts: Counts,
): readonly JsonObject[] {
  const { deployment, newSet, now } = view;
  const seconds = deadlineOf(deployment);
  if (seconds === undefined) return dropCondition(conditions, "Progressing");
  const known = progressOf(conditions);
  const say = (text: Omit<ConditionText, "type">, touch = false): readonly JsonObject[] =>
    setCondition(conditions, { type: "Progressing", ...text }, { now, updateTime: true, touch });
  if (specOf(deployment)["paused"] === true) {
    return say({ status: "Unknown", reason: "DeploymentPaused", message: "Deployment is paused" });
  }
  if (view.created !== undefined) {
    const message = `Created new replica set "${view.created}"`;
    return say({ status: "True", reason: "NewReplicaSetCreated", message }, true);
  }
  const settled = known?.["reason"] === "NewReplicaSetAvailable" && counts.replicas === counts.updated;
  if (settled && counts.updated > 0) return conditions;
  const what = newSet === undefined ? `Deployment "${nameOf(deployment)}"` : `ReplicaSet "${nameOf(newSet)}"`;
  const wanted = replicasOf(deployment);
  const complete = counts.updated === wanted && counts.replicas === wanted && counts.available === wanted;
  if (complete && newSet !== undefined) {
    return say({
      status: "True",
      reason: "NewReplicaSetAvailable",
      message: `${what} has successfully progressed.`,
    });
  }
  if (hasMoved(statusOf(deployment), counts)) {
    return say({ status: "True", reason: "ReplicaSetUpdated", message: `${what} is progressing.` }, true);
  }
  if (known === undefined && newSet !== undefined) {
    return say({
      status: "True",
      reason: "FoundNewReplicaSet",
      message: `Found new replica set "${nameOf(newSet)}"`,
    });
  }
  if (known?.["reason"] === "DeploymentPaused") {
    return say({ status: "Unknown", reason: "DeploymentResumed", message: "Deployment is resumed" });
  }
  const since = timeOf(known ?? {}, "lastUpdateTime");
  if (
    since === undefined ||
    known?.["reason"] === "ProgressDeadlineExceeded" ||
    since + seconds * 1000 >= now
  ) {
    return conditions;
  }
  return say({
    status: "False",
    reason: "ProgressDeadlineExceeded",
    message: `${what} has timed out progressing.`,
  });
}

function hasMoved(old: JsonObject, counts: Counts): boolean {
  const count = (name: string): number => numberOf(old, name) ?? 0;
  const oldOld = count("replicas") - count("updatedReplicas");
  return (
    counts.updated > count("updatedReplicas") ||
    counts.replicas - counts.updated < oldOld ||
    counts.ready > count("readyReplicas") ||
    counts.available > count("availableReplicas")
  );
}

/** Why no Pods can be made, as a ReplicaSet had to learn. */
function copyFailure(
  conditions: readonly JsonObject[],
  sets: readonly KubernetesObject[],
  now: number,
): readonly JsonObject[] {
  const [found] = sets.flatMap((set) =>
    conditionsIn(statusOf(set)).filter(({ type }) => type === "ReplicaFailure"),
  );
  if (found === undefined) return dropCondition(conditions, "ReplicaFailure");
  const { reason, message } = found;
  if (typeof reason !== "string" || typeof message !== "string") return conditions;
  const text = { type: "ReplicaFailure", status: "True", reason, message } as const;
  return setCondition(conditions, text, { now, updateTime: true });
}

function progressOf(conditions: readonly JsonObject[]): JsonObject | undefined {
  return conditions.find(({ type }) => type === "Progressing");
}

function deadlineOf(deployment: KubernetesObject): number | undefined {
  const seconds = numberOf(specOf(deployment), "progressDeadlineSeconds");
  return seconds === undefined || seconds >= NO_DEADLINE ? undefined : seconds;
}
