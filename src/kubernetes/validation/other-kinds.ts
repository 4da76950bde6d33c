/** What holds for the kinds that make no Pods and hold no data. */
import { isDeepStrictEqual } from "node:util";

import { type FieldError, invalidField, requiredField } from "../../internal/kubernetes/field-error.ts";
import { qualifiedNameFaults } from "../../internal/kubernetes/qualified-name.ts";
import { entriesAt, numberAt, objectAt, objectsAt, scalarText, textAt, textsAt } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { CLUSTERED, invalids, NAMESPACED, validateMetadata, validateMetadataUpdate } from "./metadata.ts";
import { labelFaults, subdomainFaults } from "./names.ts";
import { validateQuantity } from "./resource-requirements.ts";
import type { Rule, UpdateRule } from "./workload.ts";

const NOTE_LIMIT = 1024;
const EVENT_NAME_LIMIT = 128;

/** For kinds of which nothing but the metadata is judged. */
export const validateNamed: Rule = (object) =>
  validateMetadata(objectAt(object, "metadata") ?? {}, NAMESPACED);

export const validateMetadataOnly: UpdateRule = (object, old) =>
  validateMetadataUpdate(objectAt(object, "metadata") ?? {}, objectAt(old, "metadata") ?? {});

export const validateNamespace: Rule = (object) => [
  ...validateMetadata(objectAt(object, "metadata") ?? {}, { name: labelFaults, namespaced: false }),
  ...textsAt(objectAt(object, "spec"), "finalizers").flatMap((name) =>
    invalids("spec.finalizers", name, qualifiedNameFaults(name)),
  ),
];

export const validateNamespaceStatus: UpdateRule = (object, old) => {
  const phase = textAt(objectAt(object, "status"), "phase");
  const going = textAt(objectAt(object, "metadata"), "deletionTimestamp") !== "";
  const errors: FieldError[] = [...validateMetadataOnly(object, old)];
  if (!going && phase !== "Active") {
    const why = "may only be 'Active' if `deletionTimestamp` is empty";
    errors.push(invalidField("status.phase", phase, why));
  } else if (going && phase !== "Terminating") {
    const why = "may only be 'Terminating' if `deletionTimestamp` is not empty";
    errors.push(invalidField("status.phase", phase, why));
  }
  return errors;
};

export const validateNode: Rule = (node) => [
  ...validateMetadata(objectAt(node, "metadata") ?? {}, CLUSTERED),
  ...validateTaints(objectAt(node, "spec")),
  ...validateCapacity(node),
];

export const validateNodeUpdate: UpdateRule = (node, old) => [
  ...validateMetadataOnly(node, old),
  ...validateTaints(objectAt(node, "spec")),
  ...validateCapacity(node),
];

/** What a DaemonSet or StatefulSet was, to go back to: its data stay as they were written. */
export const validateRevision: Rule = (revision) => [
  ...validateNamed(revision),
  ...(revision["data"] === undefined || revision["data"] === null
    ? [requiredField("data", "data is mandatory")]
    : []),
  ...validateRevisionNumber(revision),
];

export const validateRevisionUpdate: UpdateRule = (revision, old) => [
  ...validateMetadataOnly(revision, old),
  ...validateRevisionNumber(revision),
  ...(isDeepStrictEqual(revision["data"], old["data"])
    ? []
    : [invalidField("data", revision["data"], "field is immutable")]),
];

function validateRevisionNumber(revision: JsonObject): readonly FieldError[] {
  const number = numberAt(revision, "revision") ?? 0;
  const why = "must be greater than or equal to 0";
  return number < 0 ? [invalidField("revision", number, why)] : [];
}

export const validateLease: Rule = (lease) => [...validateNamed(lease), ...validateLeaseSpec(lease)];

export const validateLeaseUpdate: UpdateRule = (lease, old) => [
  ...validateMetadataOnly(lease, old),
  ...validateLeaseSpec(lease),
];

/** Events are judged leniently: those of the first kind say little about themselves. */
export const validateEvent: Rule = (event) => [
  ...validateAgreement(event),
  ...(typeof event["eventTime"] === "string" ? validateEventNames(event) : []),
  ...invalids("namespace", namespaceOf(event), subdomainFaults(namespaceOf(event))),
  ...(typeof event["eventTime"] === "string" ? validateNamed(event) : []),
];

export const validateEventUpdate: UpdateRule = (event) => validateEvent(event);

/** What an Event is about is where the Event is. */
function validateAgreement(event: JsonObject): readonly FieldError[] {
  const member = event["apiVersion"] === "v1" ? "involvedObject" : "regarding";
  const namespace = textAt(objectAt(event, member), "namespace");
  const own = namespaceOf(event);
  // What belongs to no namespace is told about in the default one.
  const agrees = namespace === "" ? own === "" || own === "default" : own === namespace;
  return agrees
    ? []
    : [invalidField("involvedObject.namespace", namespace, "does not match event.namespace")];
}

function validateEventNames(event: JsonObject): readonly FieldError[] {
  const old = event["apiVersion"] === "v1";
  const reporter = old ? "reportingComponent" : "reportingController";
  const controller = textAt(event, reporter);
  const note = textAt(event, old ? "message" : "note");
  const errors: FieldError[] = controller === "" ? [requiredField(reporter)] : [];
  errors.push(...invalids(reporter, controller, controller === "" ? [] : qualifiedNameFaults(controller)));
  for (const member of ["reportingInstance", "action", "reason"]) {
    const value = textAt(event, member);
    if (value === "") errors.push(requiredField(member));
    else if (value.length > EVENT_NAME_LIMIT) {
      errors.push(invalidField(member, "", `can have at most ${EVENT_NAME_LIMIT} characters`));
    }
  }
  if (note.length > NOTE_LIMIT) {
    errors.push(invalidField("message", "", `can have at most ${NOTE_LIMIT} characters`));
  }
  return errors;
}

function validateTaints(spec: JsonObject | undefined): readonly FieldError[] {
  return objectsAt(spec, "taints").flatMap((taint, index) => {
    const key = textAt(taint, "key");
    const path = `spec.taints[${index}]`;
    return [
      ...invalids(`${path}.key`, key, qualifiedNameFaults(key)),
      ...(textAt(taint, "effect") === "" ? [requiredField(`${path}.effect`)] : []),
    ];
  });
}

function validateCapacity(node: JsonObject): readonly FieldError[] {
  const status = objectAt(node, "status");
  return ["capacity", "allocatable"].flatMap((member) =>
    entriesAt(status, member).flatMap(([name, value]) =>
      validateQuantity(scalarText(value), `status.${member}.${name}`),
    ),
  );
}

function validateLeaseSpec(lease: JsonObject): readonly FieldError[] {
  const spec = objectAt(lease, "spec");
  const seconds = numberAt(spec, "leaseDurationSeconds");
  const transitions = numberAt(spec, "leaseTransitions");
  const errors: FieldError[] = [];
  if (seconds !== undefined && seconds <= 0) {
    errors.push(invalidField("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
  }
  if (transitions !== undefined && transitions < 0) {
    const why = "must be greater than or equal to 0";
    errors.push(invalidField("spec.leaseTransitions", transitions, why));
  }
  return errors;
}

function namespaceOf(object: JsonObject): string {
  return textAt(objectAt(object, "metadata"), "namespace");
}
