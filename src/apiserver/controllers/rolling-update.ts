/** How large each ReplicaSet of a Deployment should be next: plain arithmetic, no effects. */
import type { KubernetesObject } from "../../kubernetes/index.ts";
import { bounds, formerMaximum, replicasOf, statusNumber, sumOf } from "./deployment-replica-sets.ts";
import { byAge, nameOf } from "./objects.ts";

export interface Resize {
  readonly set: KubernetesObject;
  readonly replicas: number;
}

/** The size of the new ReplicaSet: as large as the surge allows, never larger than the Deployment. */
export function nextNewSize(
  deployment: KubernetesObject,
  sets: readonly KubernetesObject[],
  current: number,
): number {
  const wanted = replicasOf(deployment);
  const room = wanted + bounds(deployment).surge - sumOf(sets, replicasOf);
  return room <= 0 ? current : current + Math.min(room, wanted - current);
}

/** Old ReplicaSets give way: first what doesn't work anyway, then as much as the new one makes up for. */
export function shrinkOld(
  deployment: KubernetesObject,
  newSet: KubernetesObject,
  old: readonly KubernetesObject[],
): readonly Resize[] {
  const available = statusNumber("availableReplicas");
  const minAvailable = replicasOf(deployment) - bounds(deployment).unavailable;
  const newUnavailable = replicasOf(newSet) - available(newSet);
  const total = sumOf(old, replicasOf) + replicasOf(newSet);
  const limit = total - minAvailable - newUnavailable;
  if (limit <= 0) return [];
  const sizes = new Map(old.toSorted(byAge).map((set) => [set, replicasOf(set)]));
  let broken = limit;
  for (const [set, size] of sizes) {
    const cut = Math.max(0, Math.min(broken, size - available(set)));
    broken -= cut;
    sizes.set(set, size - cut);
  }
  let spare = sumOf([...old, newSet], available) - minAvailable;
  for (const [set, size] of sizes) {
    const cut = Math.max(0, Math.min(spare, size));
    spare -= cut;
    sizes.set(set, size - cut);
  }
  return [...sizes]
    .filter(([set, size]) => size !== replicasOf(set))
    .map(([set, replicas]) => ({ set, replicas }));
}

/** When a Deployment is resized in the middle of a rollout, its ReplicaSets share the difference by their sizes. */
export function proportional(
  deployment: KubernetesObject,
  active: readonly KubernetesObject[],
): readonly Resize[] {
  const wanted = replicasOf(deployment);
  const allowed = wanted > 0 ? wanted + bounds(deployment).surge : 0;
  const total = sumOf(active, replicasOf);
  const difference = allowed - total;
  // The largest first; of equals, the newest when growing and the oldest when shrinking.
  const ordered = active.toSorted(
    (a, b) => replicasOf(b) - replicasOf(a) || (difference > 0 ? byAge(b, a) : byAge(a, b)),
  );
  let given = 0;
  const sizes = ordered.map((set): Resize => {
    const size = replicasOf(set);
    if (difference === 0) return { set, replicas: size };
    const former = formerMaximum(set, deployment) || total;
    const share = Math.round((size * allowed) / former) - size;
    const left = difference - given;
    const step = difference > 0 ? Math.min(Math.max(0, share), left) : Math.max(Math.min(0, share), left);
    given += step;
    return { set, replicas: Math.max(0, size + step) };
  });
  const [first, ...rest] = sizes;
  // What rounding left over goes to the first.
  if (first === undefined) return [];
  return [{ set: first.set, replicas: Math.max(0, first.replicas + difference - given) }, ...rest];
}

/** Old ReplicaSets without Pods that the history has no room for, the oldest first. */
export function surplusHistory(old: readonly KubernetesObject[], limit: number): readonly KubernetesObject[] {
  const replicas = statusNumber("replicas");
  const idle = old.filter((set) => {
    const observed = statusNumber("observedGeneration")(set) >= (set.metadata.generation ?? 0);
    return (
      replicas(set) === 0 && replicasOf(set) === 0 && observed && set.metadata.deletionTimestamp === undefined
    );
  });
  const surplus = old.length - limit;
  return surplus <= 0
    ? []
    : idle.toSorted((a, b) => byAge(a, b) || (nameOf(a) < nameOf(b) ? -1 : 1)).slice(0, surplus);
}
