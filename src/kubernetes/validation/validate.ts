/**
 * What the API server refuses, kind by kind: the faults in the order in which it finds them. Objects are complete,
 * as `applyDefaults` and `prepareForCreate` or `prepareForUpdate` leave them.
 */
import type { FieldError } from "../../internal/kubernetes/field-error.ts";
import type { KubernetesObject } from "../objects/object.ts";
import { findKind } from "../objects/resources.ts";
import { parseApiVersion } from "../objects/object.ts";
import { validateCronJob, validateCronJobUpdate, validateJob, validateJobUpdate } from "./job.ts";
import { validateCommonUpdate } from "./metadata.ts";
import {
  validateEvent,
  validateEventUpdate,
  validateLease,
  validateLeaseUpdate,
  validateMetadataOnly,
  validateNamed,
  validateNamespace,
  validateNamespaceStatus,
  validateNode,
  validateNodeUpdate,
  validateRevision,
  validateRevisionUpdate,
} from "./other-kinds.ts";
import { validateEphemeralUpdate, validatePod, validatePodUpdate } from "./pod.ts";
import {
  validateConfigMap,
  validateConfigMapUpdate,
  validateSecret,
  validateSecretUpdate,
} from "./secret.ts";
import {
  type Rule,
  type UpdateRule,
  validateDaemonSet,
  validateDaemonSetUpdate,
  validateDeployment,
  validateDeploymentUpdate,
  validatePodTemplate,
  validatePodTemplateUpdate,
  validateReplicaSet,
  validateReplicaSetUpdate,
  validateReplicationController,
  validateReplicationControllerUpdate,
  validateStatefulSet,
  validateStatefulSetUpdate,
} from "./workload.ts";

const KINDS: Readonly<Record<string, readonly [create: Rule, update: UpdateRule]>> = {
  "v1 ConfigMap": [validateConfigMap, validateConfigMapUpdate],
  "v1 Event": [validateEvent, validateEventUpdate],
  "v1 Namespace": [validateNamespace, validateMetadataOnly],
  "v1 Node": [validateNode, validateNodeUpdate],
  "v1 Pod": [validatePod, validatePodUpdate],
  "v1 PodTemplate": [validatePodTemplate, validatePodTemplateUpdate],
  "v1 ReplicationController": [validateReplicationController, validateReplicationControllerUpdate],
  "v1 Secret": [validateSecret, validateSecretUpdate],
  "v1 ServiceAccount": [validateNamed, validateMetadataOnly],
  "apps/v1 ControllerRevision": [validateRevision, validateRevisionUpdate],
  "apps/v1 DaemonSet": [validateDaemonSet, validateDaemonSetUpdate],
  "apps/v1 Deployment": [validateDeployment, validateDeploymentUpdate],
  "apps/v1 ReplicaSet": [validateReplicaSet, validateReplicaSetUpdate],
  "apps/v1 StatefulSet": [validateStatefulSet, validateStatefulSetUpdate],
  "batch/v1 CronJob": [validateCronJob, validateCronJobUpdate],
  "batch/v1 Job": [validateJob, validateJobUpdate],
  "coordination.k8s.io/v1 Lease": [validateLease, validateLeaseUpdate],
  "events.k8s.io/v1 Event": [validateEvent, validateEventUpdate],
};

/** Subresources that judge otherwise than the object they belong to. */
const SUBRESOURCES: Readonly<Record<string, UpdateRule>> = {
  "v1 Pod ephemeralcontainers": validateEphemeralUpdate,
  "v1 Namespace status": validateNamespaceStatus,
  "v1 Node status": validateNodeUpdate,
};

/** What is wrong with a new object; its name was generated before. */
export function validateCreate(object: KubernetesObject): readonly FieldError[] {
  return KINDS[keyOf(object)]?.[0](object) ?? [];
}

/** @param subresource empty for the object itself */
export function validateUpdate(
  object: KubernetesObject,
  old: KubernetesObject,
  subresource: string,
): readonly FieldError[] {
  const key = keyOf(object);
  const rule =
    subresource === "" ? KINDS[key]?.[1] : (SUBRESOURCES[`${key} ${subresource}`] ?? validateMetadataOnly);
  const namespaced = findKind({ ...parseApiVersion(object.apiVersion), kind: object.kind })?.namespaced;
  // First what holds for any kind, then the kind's own rules, which look at some of it again.
  return [
    ...validateCommonUpdate(object.metadata, old.metadata, namespaced ?? true),
    ...(rule?.(object, old) ?? []),
  ];
}

function keyOf(object: KubernetesObject): string {
  return `${object.apiVersion} ${object.kind}`;
}
