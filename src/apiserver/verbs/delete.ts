/** DELETE of one object: at once, after a while, or once those who hold on to it have let go. */
import {
  conflict,
  forbidden,
  type JsonObject,
  type KubernetesObject,
  notFound,
  type Status,
} from "../../kubernetes/index.ts";
import { formatTime } from "../clock.ts";
import { withRevision } from "../storage/encode-object.ts";
import { isConflict } from "../storage/errors.ts";
import type { StoredObject } from "../storage/storage.ts";
import { admitMutating, admitValidating } from "./admit.ts";
import type { ApiCall, ApiContext } from "./context.ts";
import type { DeleteOptions } from "./delete-options.ts";
import { FOREGROUND, markDeleted, namespaceFinalizers, ORPHAN, stepGrace } from "./graceful-deletion.ts";
import { keyOf, kindSubject, resourceSubject } from "./names.ts";
import { presentObject, type Presented } from "./present.ts";

export interface Deleted {
  /** What there was, or still is. */
  readonly object: KubernetesObject;
  readonly gone: boolean;
  /** What the client is told. */
  readonly answer: Presented | Status;
  /** 202 where somebody asked for a deletion that goes on. */
  readonly accepted: boolean;
}

/** Namespaces that the system needs. */
const IMMORTAL: readonly string[] = ["default", "kube-system", "kube-public"];
/** Kinds whose deletion is answered by the object rather than by a Status. */
const RETURNED: readonly string[] = ["pods", "podtemplates", "serviceaccounts"];
/** Kinds that leave what they own behind unless told otherwise, as they did in their first versions. */
const ORPHANING: readonly string[] = ["jobs", "replicationcontrollers"];
const JOB_WARNING =
  "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or " +
  "set propagationPolicy=Orphan to suppress this warning";

export async function deleteObject(
  context: ApiContext,
  call: ApiCall,
  options: DeleteOptions,
): Promise<Deleted> {
  if (call.resource.resource === "namespaces" && IMMORTAL.includes(call.name)) {
    throw forbidden(resourceSubject(call), "this namespace may not be deleted");
  }
  const { propagationPolicy: policy, orphanDependents } = options;
  if (call.resource.resource === "jobs" && policy === undefined && orphanDependents === undefined) {
    call.warnings.add(JOB_WARNING);
  }
  for (;;) {
    const current = await context.storage.find(keyOf(call));
    if (current === undefined) throw notFound(resourceSubject(call));
    checkPreconditions(call, options, current);
    const change = { operation: "DELETE", oldObject: current.object } as const;
    await admitMutating(context, call, change);
    await admitValidating(context, call, change);
    try {
      const { object, gone } = await take(context, call, { current, options });
      const accepted = !gone && (orphanDependents === false || policy === "Foreground");
      return { object, gone, accepted, answer: answer(call, object, gone) };
    } catch (error) {
      if (!isConflict(error)) throw error;
      call.signal.throwIfAborted();
    }
  }
}

interface Taking {
  readonly current: StoredObject;
  readonly options: DeleteOptions;
}

interface Taken {
  readonly object: KubernetesObject;
  readonly gone: boolean;
}

async function take(context: ApiContext, call: ApiCall, it: Taking): Promise<Taken> {
  const { current, options } = it;
  const now = context.clock.now();
  const grace = stepGrace(current.object, { gracePeriodSeconds: options.gracePeriodSeconds, now });
  if (grace.kind === "pending") return { object: current.object, gone: false };
  let object = grace.kind === "marked" ? grace.object : current.object;
  const finalizers = finalizersFor(call, object, options);
  if (finalizers !== undefined) object = { ...object, metadata: { ...object.metadata, finalizers } };
  const held = (object.metadata.finalizers ?? []).length > 0;
  if (grace.kind === "immediate" && held) object = markDeleted(object, now);
  if (call.resource.resource === "namespaces") object = endNamespace(object, now);
  const stays =
    held || (grace.kind === "marked" && grace.seconds > 0) || namespaceFinalizers(object).length > 0;
  if (call.dryRun || options.dryRun) return { object, gone: !stays };
  const { key, revision } = current;
  if (grace.kind === "immediate" && !stays) {
    return { object: (await context.storage.write({ key, expected: revision })).object, gone: true };
  }
  const unchanged = JSON.stringify(object) === JSON.stringify(current.object);
  const marked = unchanged ? current : await context.storage.write({ key, expected: revision, object });
  if (stays) return { object: marked.object, gone: false };
  const last = await context.storage.write({ key, expected: marked.revision });
  return { object: withRevision(marked.object, String(last.revision)), gone: true };
}

/** Those for the dependents, which the collector takes away again; `undefined` where they stay as they are. */
function finalizersFor(
  call: ApiCall,
  object: KubernetesObject,
  options: DeleteOptions,
): readonly string[] | undefined {
  const before = object.metadata.finalizers ?? [];
  const policy = propagationOf(call, before, options);
  const wanted = policy === "Orphan" ? [ORPHAN] : policy === "Foreground" ? [FOREGROUND] : [];
  const others = before.filter((one) => one !== ORPHAN && one !== FOREGROUND);
  const after = [...others, ...wanted];
  const same = after.length === before.length && after.every((one) => before.includes(one));
  return same ? undefined : after;
}

function propagationOf(call: ApiCall, before: readonly string[], options: DeleteOptions): string {
  if (options.orphanDependents !== undefined) return options.orphanDependents ? "Orphan" : "Background";
  if (options.propagationPolicy !== undefined) return options.propagationPolicy;
  if (before.includes(ORPHAN)) return "Orphan";
  if (before.includes(FOREGROUND)) return "Foreground";
  return ORPHANING.includes(call.resource.resource) ? "Orphan" : "Background";
}

/** A namespace says that it is ending, and is emptied before it goes. */
function endNamespace(namespace: KubernetesObject, now: number): KubernetesObject {
  const { deletionTimestamp = formatTime(now) } = namespace.metadata;
  const status = { ...(namespace["status"] as JsonObject | undefined), phase: "Terminating" };
  return { ...namespace, metadata: { ...namespace.metadata, deletionTimestamp }, status };
}

function checkPreconditions(call: ApiCall, options: DeleteOptions, current: StoredObject): void {
  const { uid, resourceVersion } = current.object.metadata;
  const kind = kindSubject(call.resource, current.object);
  if (options.uid !== undefined && options.uid !== uid) {
    const why = `the UID in the precondition (${options.uid}) does not match the UID in record (${uid})`;
    throw conflict(kind, `${why}. The object might have been deleted and then recreated`);
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    const why =
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match ` +
      `the ResourceVersion in record (${resourceVersion})`;
    throw conflict(kind, `${why}. The object might have been modified`);
  }
}

function answer(call: ApiCall, object: KubernetesObject, gone: boolean): Presented | Status {
  if (!gone || RETURNED.includes(call.resource.resource)) return presentObject(call.resource, object);
  const { name = "", uid } = object.metadata;
  const { group, resource: kind } = call.resource;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name, ...(group !== "" && { group }), kind, ...(uid !== undefined && { uid }) },
  };
}
