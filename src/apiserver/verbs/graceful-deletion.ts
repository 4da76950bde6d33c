/** When an object that shall go is gone: at once, when its node is done with it, or when its finalizers are. */
import type { KubernetesObject, Metadata } from "../../kubernetes/index.ts";
import { formatTime } from "../clock.ts";

export const ORPHAN = "orphan";
export const FOREGROUND = "foregroundDeletion";

/** Whether an update took away the last thing that a deletion was waiting for. */
export function isReadyToGo(next: KubernetesObject, old: KubernetesObject): boolean {
  const { deletionTimestamp, finalizers = [] } = next.metadata;
  if (deletionTimestamp === undefined || finalizers.length > 0) return false;
  if (next.kind === "Namespace" && namespaceFinalizers(next).length > 0) return false;
  // A Pod's node says when: it deletes once more, without grace.
  return (old.metadata.deletionGracePeriodSeconds ?? 0) === 0;
}

export function namespaceFinalizers(namespace: KubernetesObject): readonly string[] {
  const spec = namespace["spec"] as { readonly finalizers?: readonly string[] } | undefined;
  return spec?.finalizers ?? [];
}

export type GraceStep =
  /** Goes on without a word about time. */
  | { readonly kind: "immediate" }
  /** Somebody said so before, and nothing is to be said anew. */
  | { readonly kind: "pending" }
  /** The time it has is written down first. */
  | { readonly kind: "marked"; readonly object: KubernetesObject; readonly seconds: number };

/** The last moment that a timestamp can tell, which a grace of thousands of years would go beyond. */
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59);

/** The grace a deletion gives; only Pods have any. */
export function stepGrace(
  object: KubernetesObject,
  options: { readonly gracePeriodSeconds?: number | undefined; readonly now: number },
): GraceStep {
  const { metadata } = object;
  const { deletionTimestamp, deletionGracePeriodSeconds: given } = metadata;
  if (deletionTimestamp !== undefined) {
    if (given === undefined) return { kind: "immediate" };
    const wanted = options.gracePeriodSeconds;
    if (wanted === undefined || wanted >= given) return { kind: "pending" };
    const seconds = Math.max(0, wanted);
    const time = Date.parse(deletionTimestamp) + (seconds - given) * 1000;
    return { kind: "marked", seconds, object: mark(object, { time, seconds, again: true }) };
  }
  if (object.kind !== "Pod" || object.apiVersion !== "v1") return { kind: "immediate" };
  const seconds = podGrace(object, options.gracePeriodSeconds);
  const time = options.now + seconds * 1000;
  return { kind: "marked", seconds, object: mark(object, { time, seconds }) };
}

/** For what has finalizers but no grace. */
export function markDeleted(object: KubernetesObject, now: number): KubernetesObject {
  if (object.metadata.deletionTimestamp !== undefined) {
    return { ...object, metadata: { ...object.metadata, deletionGracePeriodSeconds: 0 } };
  }
  return mark(object, { time: now, seconds: 0 });
}

function podGrace(pod: KubernetesObject, asked: number | undefined): number {
  const spec = pod["spec"] as { nodeName?: string; terminationGracePeriodSeconds?: number } | undefined;
  const status = pod["status"] as { phase?: string } | undefined;
  let seconds = asked ?? spec?.terminationGracePeriodSeconds ?? 0;
  // Where no node has it, or everything in it has ended, nobody needs the time.
  if ((spec?.nodeName ?? "") === "") seconds = 0;
  if (status?.phase === "Failed" || status?.phase === "Succeeded") seconds = 0;
  return seconds < 0 ? 1 : seconds;
}

function mark(
  object: KubernetesObject,
  it: { readonly time: number; readonly seconds: number; readonly again?: boolean },
): KubernetesObject {
  const { generation = 0 } = object.metadata;
  const metadata: Metadata = {
    ...object.metadata,
    ...(generation > 0 && it.again !== true && { generation: generation + 1 }),
    deletionTimestamp: formatTime(Math.max(0, Math.min(it.time, LATEST))),
    deletionGracePeriodSeconds: it.seconds,
  };
  return { ...object, metadata };
}
