/** Defaults of the kinds that make Pods. */
import { isAbsent, isSet, mapObject, numberAt, objectAt, textAt, withMembers } from "../objects/fields.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import { defaultClaimSpec } from "./volume.ts";
import { fillAbsent, fillEmpty } from "./fill.ts";
import { defaultTemplate } from "./pod.ts";

const MAX_INT32 = 2 ** 31 - 1;

/** The generation of a DaemonSet's template is kept in an annotation since it has no field any more. */
export const TEMPLATE_GENERATION = "deprecated.daemonset.template.generation";

export function defaultDeployment(object: JsonObject): JsonObject {
  const spec = withTemplate(objectAt(object, "spec"));
  const strategy = fillEmpty(objectAt(spec, "strategy") ?? {}, { type: "RollingUpdate" });
  return workload(object, {
    ...fillAbsent(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 }),
    strategy: rolling(strategy, { maxUnavailable: "25%", maxSurge: "25%" }),
  });
}

export function defaultReplicaSet(object: JsonObject): JsonObject {
  const spec = fillAbsent(withTemplate(objectAt(object, "spec")), { replicas: 1 });
  return workload(object, spec, { replicas: 0 });
}

export function defaultReplicationController(object: JsonObject): JsonObject {
  const spec = fillAbsent(withTemplate(objectAt(object, "spec")), { replicas: 1 });
  const labels = objectAt(objectAt(objectAt(spec, "template"), "metadata"), "labels");
  const filled = isEmptyMap(spec["selector"]) ? withMembers(spec, { selector: labels }) : spec;
  return workload(withLabels(object, labels), filled, { replicas: 0 });
}

export function defaultStatefulSet(object: JsonObject): JsonObject {
  const given = withTemplate(objectAt(object, "spec"));
  const spec = fillAbsent(fillEmpty(given, { podManagementPolicy: "OrderedReady" }), {
    replicas: 1,
    revisionHistoryLimit: 10,
  });
  const strategy = fillEmpty(objectAt(spec, "updateStrategy") ?? {}, { type: "RollingUpdate" });
  const retention = objectAt(spec, "persistentVolumeClaimRetentionPolicy") ?? {};
  const claims = spec["volumeClaimTemplates"];
  const filled = withMembers(spec, {
    updateStrategy: rolling(strategy, { partition: 0 }),
    persistentVolumeClaimRetentionPolicy: fillEmpty(retention, {
      whenDeleted: "Retain",
      whenScaled: "Retain",
    }),
    volumeClaimTemplates: Array.isArray(claims)
      ? (claims as readonly JsonObject[]).map((claim) => defaultClaim(claim))
      : claims,
  });
  return workload(object, filled, {
    replicas: 0,
    availableReplicas: 0,
  });
}

export function defaultDaemonSet(object: JsonObject): JsonObject {
  const spec = fillAbsent(withTemplate(objectAt(object, "spec")), { revisionHistoryLimit: 10 });
  const strategy = fillEmpty(objectAt(spec, "updateStrategy") ?? {}, { type: "RollingUpdate" });
  const metadata = objectAt(object, "metadata") ?? {};
  const annotations = objectAt(metadata, "annotations") ?? {};
  const annotated = withMembers(object, {
    metadata: withMembers(metadata, { annotations: fillAbsent(annotations, { [TEMPLATE_GENERATION]: "0" }) }),
  });
  const filled = { ...spec, updateStrategy: rolling(strategy, { maxUnavailable: 1, maxSurge: 0 }) };
  return workload(annotated, filled, {
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
  });
}

export function defaultJob(object: JsonObject): JsonObject {
  const spec = withTemplate(objectAt(object, "spec"));
  const labels = objectAt(objectAt(objectAt(spec, "template"), "metadata"), "labels");
  const policy = objectAt(spec, "podFailurePolicy");
  const once = isAbsent(spec["completions"]) && isAbsent(spec["parallelism"]);
  const filled = fillEmpty(
    fillAbsent(spec, {
      completions: once ? 1 : undefined,
      parallelism: 1,
      backoffLimit: numberAt(spec, "backoffLimitPerIndex") === undefined ? 6 : MAX_INT32,
      manualSelector: false,
      suspend: false,
    }),
    {
      completionMode: "NonIndexed",
      podReplacementPolicy: policy === undefined ? "TerminatingOrFailed" : "Failed",
    },
  );
  const judged = withMembers(filled, {
    podFailurePolicy: mapObject(filled, "podFailurePolicy", defaultFailurePolicy),
  });
  return workload(withLabels(object, labels), judged);
}

export function defaultCronJob(object: JsonObject): JsonObject {
  const spec = fillAbsent(fillEmpty(objectAt(object, "spec") ?? {}, { concurrencyPolicy: "Allow" }), {
    suspend: false,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 1,
  });
  const template = objectAt(spec, "jobTemplate") ?? {};
  // What a Job gets of itself, its template gets only once it has become one.
  const jobTemplate = withMembers(template, {
    metadata: objectAt(template, "metadata") ?? {},
    spec: withTemplate(objectAt(template, "spec")),
  });
  return workload(object, { ...spec, jobTemplate });
}

function workload(object: JsonObject, spec: JsonObject, counts: JsonObject = {}): JsonObject {
  return withMembers(object, { spec, status: fillAbsent(objectAt(object, "status") ?? {}, counts) });
}

function withTemplate(spec: JsonObject = {}): JsonObject {
  return withMembers(spec, {
    template: defaultTemplate(objectAt(spec, "template") ?? {}),
  });
}

function rolling(strategy: JsonObject, defaults: JsonObject): JsonObject {
  if (textAt(strategy, "type") !== "RollingUpdate") return strategy;
  return { ...strategy, rollingUpdate: fillAbsent(objectAt(strategy, "rollingUpdate") ?? {}, defaults) };
}

/** Where a kind has no labels of its own, its Pods' are given to it. */
function withLabels(object: JsonObject, labels: JsonObject | undefined): JsonObject {
  const metadata = objectAt(object, "metadata") ?? {};
  if (labels === undefined || !isEmptyMap(metadata["labels"])) return object;
  return withMembers(object, { metadata: { ...metadata, labels } });
}

function isEmptyMap(value: Json | undefined): boolean {
  return !isSet(value) || (typeof value === "object" && Object.keys(value ?? {}).length === 0);
}

function defaultClaim(claim: JsonObject): JsonObject {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    ...withMembers(claim, {
      metadata: objectAt(claim, "metadata") ?? {},
      spec: defaultClaimSpec(objectAt(claim, "spec") ?? {}),
      status: fillEmpty(objectAt(claim, "status") ?? {}, { phase: "Pending" }),
    }),
  };
}

function defaultFailurePolicy(policy: JsonObject): JsonObject {
  const rules = policy["rules"];
  if (!Array.isArray(rules)) return policy;
  return withMembers(policy, {
    rules: (rules as readonly JsonObject[]).map((rule) => {
      const conditions = rule["onPodConditions"];
      if (!Array.isArray(conditions)) return rule;
      return withMembers(rule, {
        onPodConditions: (conditions as readonly JsonObject[]).map((one) =>
          fillEmpty(one, { status: "True" }),
        ),
      });
    }),
  });
}
