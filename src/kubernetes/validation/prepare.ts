/**
 * What the API server decides about an object whatever was sent: what is reset, kept, counted or generated. Between
 * admission and validation.
 */
import { compareBytes } from "../../internal/go/utf8.ts";
import { applyDefaults } from "../defaults/apply-defaults.ts";
import { TEMPLATE_GENERATION } from "../defaults/workloads.ts";
import { flagAt, listAt, objectAt, sameJson, textAt, textsAt, withMembers } from "../objects/fields.ts";
import type { JsonObject, KubernetesObject, Metadata } from "../objects/object.ts";
import { qosClassOf } from "./qos-class.ts";

/** Kinds of which it's counted how often what is wanted was changed. */
const COUNTED = new Set([
  "v1 Pod",
  "v1 PodTemplate",
  "v1 ReplicationController",
  "apps/v1 DaemonSet",
  "apps/v1 Deployment",
  "apps/v1 ReplicaSet",
  "apps/v1 StatefulSet",
  "batch/v1 CronJob",
  "batch/v1 Job",
]);

/** Kinds with a status that only its subresource writes. */
const WITH_STATUS = new Set([...COUNTED, "v1 Namespace", "v1 Node"]);
WITH_STATUS.delete("v1 PodTemplate");

type Create = (object: KubernetesObject) => KubernetesObject;

const CREATES: Readonly<Record<string, Create>> = {
  "v1 Namespace": (namespace) => {
    const spec = objectAt(namespace, "spec") ?? {};
    const finalizers = textsAt(spec, "finalizers");
    const kept = finalizers.includes("kubernetes") ? finalizers : [...finalizers, "kubernetes"];
    return withMembers(namespace, { spec: { ...spec, finalizers: kept }, status: { phase: "Active" } });
  },
  "v1 Pod": (pod) => withMembers(pod, { status: newPodStatus(objectAt(pod, "spec") ?? {}) }),
  "apps/v1 DaemonSet": (set) => withTemplateGeneration(set, 1),
  "batch/v1 Job": selectOwnPods,
};

/** @param object named, and with the `uid` it is going to have */
export function prepareForCreate(object: KubernetesObject): KubernetesObject {
  const key = `${object.apiVersion} ${object.kind}`;
  const metadata = withMembers(object.metadata, {
    deletionTimestamp: undefined,
    deletionGracePeriodSeconds: undefined,
    generation: COUNTED.has(key) ? 1 : object.metadata.generation,
  });
  // A node tells how it is from the first moment on; of everything else that is for its subresource to say.
  const reset = WITH_STATUS.has(key) && key !== "v1 Node" ? { status: {} } : {};
  const fresh = withMembers(object, { metadata, ...reset });
  const complete = "status" in reset ? applyDefaults(fresh) : fresh;
  return CREATES[key]?.(complete) ?? complete;
}

/** @param subresource empty for the object itself */
export function prepareForUpdate(
  object: KubernetesObject,
  old: KubernetesObject,
  subresource: string,
): KubernetesObject {
  const key = `${object.apiVersion} ${object.kind}`;
  const kept = withMembers(object, { metadata: keepMetadata(object.metadata, old.metadata) });
  if (subresource === "status") return keepForStatus(kept, old, key);
  if (subresource === "finalize") return withMembers(kept, { status: old["status"] });
  const changed = subresource === "ephemeralcontainers" ? onlyEphemeral(kept, old) : kept;
  const own = WITH_STATUS.has(key) ? { status: old["status"] } : {};
  const spec = key === "v1 Namespace" ? { spec: old["spec"] } : {};
  return count(withMembers(changed, { ...own, ...spec }), old, key);
}

function keepMetadata(metadata: Metadata, old: Metadata): Metadata {
  return withMembers(metadata, {
    generation: old.generation,
    uid: metadata.uid ?? old.uid,
    creationTimestamp: old.creationTimestamp ?? metadata.creationTimestamp,
    deletionTimestamp: old.deletionTimestamp,
    deletionGracePeriodSeconds: old.deletionGracePeriodSeconds,
  });
}

function keepForStatus(object: KubernetesObject, old: KubernetesObject, key: string): KubernetesObject {
  const metadata = object.metadata;
  if (key === "v1 Pod") {
    const status = objectAt(object, "status") ?? {};
    const qosClass = textAt(objectAt(old, "status"), "qosClass") || textAt(status, "qosClass");
    return withMembers(object, {
      // Old kubelets broke owners on this way.
      metadata: withMembers(metadata, { ownerReferences: old.metadata.ownerReferences }),
      spec: old["spec"],
      status: qosClass === "" ? status : withMembers(status, { qosClass }),
    });
  }
  const labelled = key === "v1 Node" ? metadata : withMembers(metadata, { labels: old.metadata.labels });
  return withMembers(object, { metadata: labelled, spec: old["spec"] });
}

/** Through this door, nothing else of a Pod can be reached. */
function onlyEphemeral(pod: KubernetesObject, old: KubernetesObject): KubernetesObject {
  const ephemeralContainers = objectAt(pod, "spec")?.["ephemeralContainers"];
  return withMembers(old, {
    metadata: withMembers(old.metadata, {
      resourceVersion: pod.metadata.resourceVersion,
      managedFields: pod.metadata.managedFields,
    }),
    spec: withMembers(objectAt(old, "spec") ?? {}, { ephemeralContainers }),
  });
}

function count(object: KubernetesObject, old: KubernetesObject, key: string): KubernetesObject {
  if (!COUNTED.has(key)) return object;
  const member = key === "v1 PodTemplate" ? "template" : "spec";
  const annotated =
    key === "apps/v1 Deployment" && !sameJson(object.metadata.annotations, old.metadata.annotations);
  const changed = annotated || !sameJson(object[member], old[member]);
  const generation = (old.metadata.generation ?? 0) + (changed ? 1 : 0);
  const counted = changed
    ? withMembers(object, { metadata: withMembers(object.metadata, { generation }) })
    : object;
  return key === "apps/v1 DaemonSet" ? countTemplate(counted, old) : counted;
}

function countTemplate(set: KubernetesObject, old: KubernetesObject): KubernetesObject {
  const before = Number(old.metadata.annotations?.[TEMPLATE_GENERATION] ?? 0);
  const same = sameJson(objectAt(set, "spec")?.["template"], objectAt(old, "spec")?.["template"]);
  return withTemplateGeneration(set, before + (same ? 0 : 1));
}

function withTemplateGeneration(set: KubernetesObject, generation: number): KubernetesObject {
  const annotations = { ...set.metadata.annotations, [TEMPLATE_GENERATION]: String(generation) };
  return withMembers(set, { metadata: { ...set.metadata, annotations } });
}

function newPodStatus(spec: JsonObject): JsonObject {
  const gated = {
    type: "PodScheduled",
    status: "False",
    lastProbeTime: null,
    lastTransitionTime: null,
    reason: "SchedulingGated",
    message: "Scheduling is blocked due to non-empty scheduling gates",
  };
  return {
    phase: "Pending",
    qosClass: qosClassOf(spec),
    ...(listAt(spec, "schedulingGates").length > 0 && { conditions: [gated] }),
  };
}

/** A Job finds its Pods by its own uid, unless its maker wants to choose. */
function selectOwnPods(job: KubernetesObject): KubernetesObject {
  const spec = objectAt(job, "spec") ?? {};
  if (flagAt(spec, "manualSelector")) return job;
  const template = objectAt(spec, "template") ?? {};
  const metadata = objectAt(template, "metadata") ?? {};
  const uid = job.metadata.uid ?? "";
  const name = job.metadata.name ?? "";
  const labels = {
    "controller-uid": uid,
    "batch.kubernetes.io/controller-uid": uid,
    "job-name": name,
    "batch.kubernetes.io/job-name": name,
  };
  const selector = objectAt(spec, "selector") ?? {};
  const own = { "batch.kubernetes.io/controller-uid": uid };
  const before = objectAt(metadata, "labels") ?? {};
  // What somebody chose stays, for validation to refuse.
  const after = sorted({ ...labels, ...before });
  return withMembers(job, {
    spec: withMembers(spec, {
      selector: { ...selector, matchLabels: sorted({ ...own, ...objectAt(selector, "matchLabels") }) },
      template: withMembers(template, { metadata: { ...metadata, labels: after } }),
    }),
    // Where the Job had no labels, its Pods' became its own before; these join them.
    metadata: sameJson(job.metadata.labels, before) ? { ...job.metadata, labels: after } : job.metadata,
  });
}

/** As maps are written. */
function sorted(map: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => compareBytes(a, b)));
}
