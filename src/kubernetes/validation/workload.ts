/** What holds for the kinds that make Pods from a template, other than Jobs. */
import {
  type FieldError,
  forbiddenField,
  invalidField,
  invalidWord,
  requiredField,
  unsupportedValue,
  unsupportedWord,
} from "../../internal/kubernetes/field-error.ts";
import { isAbsent, numberAt, objectAt, objectsAt, sameJson, textAt, withMembers } from "../objects/fields.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import { isEmptySelector, selectsLabels, shownSelector, validateLabelSelector } from "./label-selector.ts";
import {
  IMMUTABLE,
  NAMESPACED,
  validateAnnotations,
  validateLabels,
  validateMetadata,
  validateMetadataUpdate,
  validateNonNegative,
} from "./metadata.ts";
import { labelFaults, percentFaults } from "./names.ts";
import { validatePodAnnotations } from "./pod.ts";
import { validatePodSpec } from "./pod-spec.ts";

const MISMATCH = "`selector` does not match template `labels`";
const STATEFUL_CHANGES =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

/** What a StatefulSet may change of itself. */
const STATEFUL_MUTABLE = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
];

export type Rule = (object: JsonObject) => readonly FieldError[];
export type UpdateRule = (object: JsonObject, old: JsonObject) => readonly FieldError[];

export function validateTemplate(template: JsonObject, path: string): readonly FieldError[] {
  const metadata = objectAt(template, "metadata") ?? {};
  const spec = objectAt(template, "spec") ?? {};
  const ephemeral = objectsAt(spec, "ephemeralContainers").length > 0;
  const why = "ephemeral containers not allowed in pod template";
  return [
    ...validateLabels(metadata, "labels", path),
    ...validateAnnotations(metadata, path),
    ...validatePodAnnotations(metadata, spec, `${path}.annotations`),
    ...validatePodSpec(spec, `${path}.spec`, false),
    ...(ephemeral ? [forbiddenField(`${path}.spec.ephemeralContainers`, why)] : []),
  ];
}

export const validatePodTemplate: Rule = (object) => [
  ...validateMetadata(metadataOf(object), NAMESPACED),
  ...validateTemplate(objectAt(object, "template") ?? {}, "template"),
];

export const validateDeployment: Rule = (object) => [
  ...validateMetadata(metadataOf(object), NAMESPACED),
  ...validateDeploymentSpec(specOf(object)),
];

export const validateReplicaSet: Rule = (object) => [
  ...validateMetadata(metadataOf(object), NAMESPACED),
  ...validateReplicaSetSpec(specOf(object)),
];

/** Its Pods' host names begin with its own name. */
export const validateStatefulSet: Rule = (object) => [
  ...validateMetadata(metadataOf(object), { name: labelFaults, namespaced: true }),
  ...validateStatefulSetSpec(specOf(object)),
];

export const validateDaemonSet: Rule = (object) => [
  ...validateMetadata(metadataOf(object), NAMESPACED),
  ...validateDaemonSetSpec(specOf(object)),
];

export const validateReplicationController: Rule = (object) => [
  ...validateMetadata(metadataOf(object), NAMESPACED),
  ...validateControllerSpec(specOf(object)),
];

/** The usual update: metadata, all that holds for a new one, and a selector that stays. */
export function updateOf(validateSpec: (spec: JsonObject) => readonly FieldError[]): UpdateRule {
  return (object, old) => [
    ...validateMetadataUpdate(metadataOf(object), metadataOf(old)),
    ...validateSpec(specOf(object)),
    ...validateSameSelector(object, old),
  ];
}

export const validateDeploymentUpdate: UpdateRule = updateOf(validateDeploymentSpec);
export const validateReplicaSetUpdate: UpdateRule = updateOf(validateReplicaSetSpec);
export const validateDaemonSetUpdate: UpdateRule = updateOf(validateDaemonSetSpec);

export const validateReplicationControllerUpdate: UpdateRule = (object, old) => [
  ...validateMetadataUpdate(metadataOf(object), metadataOf(old)),
  ...validateControllerSpec(specOf(object)),
];

export const validatePodTemplateUpdate: UpdateRule = (object, old) => [
  ...validateMetadataUpdate(metadataOf(object), metadataOf(old)),
  ...validateTemplate(objectAt(object, "template") ?? {}, "template"),
];

export const validateStatefulSetUpdate: UpdateRule = (object, old) => {
  const before = specOf(old);
  const kept = Object.fromEntries(STATEFUL_MUTABLE.map((name) => [name, before[name]]));
  const same = sameJson(withMembers(specOf(object), kept), before);
  return [
    ...validateMetadataUpdate(metadataOf(object), metadataOf(old)),
    ...validateStatefulSetSpec(specOf(object)),
    ...(same ? [] : [forbiddenField("spec", STATEFUL_CHANGES)]),
  ];
};

function validateDeploymentSpec(spec: JsonObject): readonly FieldError[] {
  const deadline = numberAt(spec, "progressDeadlineSeconds");
  const errors = [
    ...nonNegative(spec, "replicas"),
    ...validateSelector(spec, "deployment"),
    ...validateReplicated(spec, "ReplicaSet"),
    ...validateStrategy(objectAt(spec, "strategy") ?? {}, "spec.strategy", "Recreate"),
    ...nonNegative(spec, "minReadySeconds"),
    ...nonNegative(spec, "revisionHistoryLimit"),
    ...nonNegative(spec, "progressDeadlineSeconds"),
  ];
  if (deadline === undefined || deadline > (numberAt(spec, "minReadySeconds") ?? 0)) return errors;
  const why = "must be greater than minReadySeconds";
  return [...errors, invalidField("spec.progressDeadlineSeconds", deadline, why)];
}

function validateReplicaSetSpec(spec: JsonObject): readonly FieldError[] {
  return [
    ...nonNegative(spec, "replicas"),
    ...nonNegative(spec, "minReadySeconds"),
    ...validateSelector(spec, "deployment"),
    ...validateReplicated(spec, "ReplicaSet"),
  ];
}

function validateStatefulSetSpec(spec: JsonObject): readonly FieldError[] {
  const management = textAt(spec, "podManagementPolicy");
  const errors: FieldError[] = [];
  if (management !== "OrderedReady" && management !== "Parallel") {
    const why = "must be 'OrderedReady' or 'Parallel'";
    errors.push(invalidWord("spec.podManagementPolicy", management, why));
  }
  return [
    ...errors,
    ...validateStatefulStrategy(objectAt(spec, "updateStrategy") ?? {}),
    ...validateRetention(objectAt(spec, "persistentVolumeClaimRetentionPolicy") ?? {}),
    ...nonNegative(spec, "replicas"),
    ...nonNegative(spec, "minReadySeconds"),
    ...validateSelector(spec, "statefulset"),
    ...validateReplicated(spec, "StatefulSet"),
  ];
}

function validateDaemonSetSpec(spec: JsonObject): readonly FieldError[] {
  const selector = objectAt(spec, "selector");
  const template = objectAt(spec, "template") ?? {};
  const empty = selector !== undefined && isEmptySelector(selector);
  return [
    ...validateLabelSelector(selector, "spec.selector"),
    ...validateSelected(selector, template),
    ...(empty
      ? [invalidField("spec.selector", shownSelector(selector), "empty selector is invalid for daemonset")]
      : []),
    ...validateTemplate(template, "spec.template"),
    ...validateAlwaysRunning(template, "DaemonSet"),
    ...nonNegative(spec, "minReadySeconds"),
    ...validateStrategy(objectAt(spec, "updateStrategy") ?? {}, "spec.updateStrategy", "OnDelete"),
    ...nonNegative(spec, "revisionHistoryLimit"),
  ];
}

function validateControllerSpec(spec: JsonObject): readonly FieldError[] {
  const labels = objectAt(spec, "selector") ?? {};
  const empty = Object.keys(labels).length === 0;
  const template = objectAt(spec, "template");
  const errors = [
    ...nonNegative(spec, "minReadySeconds"),
    ...(empty ? [requiredField("spec.selector")] : []),
    ...nonNegative(spec, "replicas"),
  ];
  if (template === undefined) return [...errors, requiredField("spec.template")];
  return [
    ...errors,
    ...(empty ? [] : validateSelected({ matchLabels: labels }, template)),
    ...validateTemplate(template, "spec.template"),
    ...validateAlwaysRunning(template, "ReplicationController"),
  ];
}

function validateSelector(spec: JsonObject, what: string): readonly FieldError[] {
  const selector = objectAt(spec, "selector");
  if (selector === undefined) return [requiredField("spec.selector")];
  const errors = validateLabelSelector(selector, "spec.selector");
  if (!isEmptySelector(selector)) return errors;
  return [
    ...errors,
    invalidField("spec.selector", shownSelector(selector), `empty selector is invalid for ${what}`),
  ];
}

/** What is made must be found again. */
function validateReplicated(spec: JsonObject, kind: string): readonly FieldError[] {
  const template = objectAt(spec, "template") ?? {};
  const selector = objectAt(spec, "selector");
  const all = selector !== undefined && isEmptySelector(selector);
  if (selectsLabels(selector, {}) === undefined) {
    return [
      invalidField(
        "spec.selector",
        shownSelector(selector),
        kind === "StatefulSet" ? "" : "invalid label selector",
      ),
    ];
  }
  return [
    ...(all ? [] : validateSelected(selector, template)),
    ...validateTemplate(template, "spec.template"),
    ...validateAlwaysRunning(template, kind),
  ];
}

export function validateSelected(
  selector: JsonObject | undefined,
  template: JsonObject,
): readonly FieldError[] {
  const labels = objectAt(objectAt(template, "metadata"), "labels");
  // What can't be read was complained about before.
  if (selectsLabels(selector, labels ?? {}) !== false) return [];
  return [invalidField("spec.template.metadata.labels", labels, MISMATCH)];
}

function validateAlwaysRunning(template: JsonObject, kind: string): readonly FieldError[] {
  const spec = objectAt(template, "spec") ?? {};
  const path = "spec.template.spec";
  const policy = textAt(spec, "restartPolicy");
  const why = `activeDeadlineSeconds in ${kind} is not Supported`;
  return [
    ...(policy === "Always" ? [] : [unsupportedWord(`${path}.restartPolicy`, policy, ["Always"])]),
    ...(isAbsent(spec["activeDeadlineSeconds"])
      ? []
      : [forbiddenField(`${path}.activeDeadlineSeconds`, why)]),
  ];
}

/** @param other the type beside RollingUpdate */
function validateStrategy(strategy: JsonObject, path: string, other: string): readonly FieldError[] {
  const type = textAt(strategy, "type");
  const rolling = objectAt(strategy, "rollingUpdate");
  if (type === other) {
    if (other !== "Recreate" || rolling === undefined) return [];
    const why = "may not be specified when strategy `type` is 'Recreate'";
    return [forbiddenField(`${path}.rollingUpdate`, why)];
  }
  if (type !== "RollingUpdate") {
    const types = other === "Recreate" ? [other, "RollingUpdate"] : ["RollingUpdate", other];
    // Strategies have no wire names in the API server's own types, which are what it shows.
    return [unsupportedValue(path, { Type: type, RollingUpdate: rolling ?? null }, types)];
  }
  if (rolling === undefined) {
    return [requiredField(`${path}.rollingUpdate`, "this should be defaulted and never be nil")];
  }
  return other === "Recreate"
    ? validateRolling(rolling, `${path}.rollingUpdate`)
    : validateRollingNodes(rolling, `${path}.rollingUpdate`);
}

function validateRolling(rolling: JsonObject, path: string): readonly FieldError[] {
  const [unavailable, surge] = [rolling["maxUnavailable"], rolling["maxSurge"]];
  const errors = [
    ...validateShare(unavailable, `${path}.maxUnavailable`),
    ...validateShare(surge, `${path}.maxSurge`),
  ];
  if (isZero(unavailable) && isZero(surge)) {
    const why = "may not be 0 when `maxSurge` is 0";
    errors.push(invalidField(`${path}.maxUnavailable`, unavailable ?? 0, why));
  }
  return [...errors, ...validateNotAll(unavailable, `${path}.maxUnavailable`)];
}

/** On each node there is one Pod more or one less, not both. */
function validateRollingNodes(rolling: JsonObject, path: string): readonly FieldError[] {
  const [unavailable, surge] = [rolling["maxUnavailable"], rolling["maxSurge"]];
  const errors: FieldError[] = [
    ...validateShare(unavailable, `${path}.maxUnavailable`),
    ...validateShare(surge, `${path}.maxSurge`),
    ...validateNotAll(unavailable, `${path}.maxUnavailable`),
    ...validateNotAll(surge, `${path}.maxSurge`),
  ];
  if (isZero(unavailable) && isZero(surge)) {
    errors.push(requiredField(`${path}.maxUnavailable`, "cannot be 0 when maxSurge is 0"));
  } else if (!isZero(unavailable) && !isZero(surge)) {
    const why = "may not be set when maxUnavailable is non-zero";
    errors.push(invalidField(`${path}.maxSurge`, surge, why));
  }
  return errors;
}

function validateStatefulStrategy(strategy: JsonObject): readonly FieldError[] {
  const path = "spec.updateStrategy";
  const type = textAt(strategy, "type");
  const rolling = objectAt(strategy, "rollingUpdate");
  if (type === "") return [requiredField(path)];
  if (type === "OnDelete") {
    if (rolling === undefined) return [];
    const why = "only allowed for updateStrategy 'RollingUpdate'";
    return [invalidField(`${path}.rollingUpdate`, statefulRolling(rolling), why)];
  }
  if (type !== "RollingUpdate") {
    const value = { Type: type, RollingUpdate: statefulRolling(rolling) };
    return [invalidField(path, value, "must be 'RollingUpdate' or 'OnDelete'")];
  }
  const partition = numberAt(rolling, "partition") ?? 0;
  return validateNonNegative(partition, `${path}.rollingUpdate.partition`);
}

/** As the API server's own types have it. */
function statefulRolling(rolling: JsonObject | undefined): JsonObject | null {
  if (rolling === undefined) return null;
  const { partition = 0, maxUnavailable = null } = rolling;
  return { Partition: partition, MaxUnavailable: maxUnavailable };
}

function validateRetention(retention: JsonObject): readonly FieldError[] {
  const choices = ["Retain", "Delete"];
  return ["whenDeleted", "whenScaled"].flatMap((name) => {
    const value = textAt(retention, name);
    const path = `spec.persistentVolumeClaimRetentionPolicy.${name}`;
    return choices.includes(value) ? [] : [unsupportedWord(path, value, choices)];
  });
}

function validateShare(value: Json | undefined, path: string): readonly FieldError[] {
  if (typeof value === "string") {
    return percentFaults(value).map((fault) => invalidField(path, value, fault));
  }
  return validateNonNegative(typeof value === "number" ? value : 0, path);
}

function validateNotAll(value: Json | undefined, path: string): readonly FieldError[] {
  if (typeof value !== "string" || !/^\d+%$/.test(value) || Number.parseInt(value, 10) <= 100) return [];
  return [invalidField(path, value, "must not be greater than 100%")];
}

function isZero(value: Json | undefined): boolean {
  return isAbsent(value) || value === 0 || value === "0%";
}

function nonNegative(spec: JsonObject, member: string): readonly FieldError[] {
  return validateNonNegative(numberAt(spec, member) ?? 0, `spec.${member}`);
}

export function validateSameSelector(object: JsonObject, old: JsonObject): readonly FieldError[] {
  const selector = objectAt(specOf(object), "selector");
  if (sameJson(selector, objectAt(specOf(old), "selector"))) return [];
  return [invalidField("spec.selector", shownSelector(selector), IMMUTABLE)];
}

function specOf(object: JsonObject): JsonObject {
  return objectAt(object, "spec") ?? {};
}

function metadataOf(object: JsonObject): JsonObject {
  return objectAt(object, "metadata") ?? {};
}
