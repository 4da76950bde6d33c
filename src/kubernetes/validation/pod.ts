/** What holds for Pods: when they are made, and what may change of them afterwards. */
import {
  type FieldError,
  forbiddenField,
  invalidField,
  requiredField,
} from "../../internal/kubernetes/field-error.ts";
import { goQuote } from "../../internal/go/quote.ts";
import {
  isAbsent,
  listAt,
  numberAt,
  objectAt,
  objectsAt,
  sameJson,
  textAt,
  withMembers,
} from "../objects/fields.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import { validateImagePadding } from "./container.ts";
import { printPodSpec, printShape } from "./go-shape.ts";
import { unifiedDiff } from "./line-diff.ts";
import { NAMESPACED, validateMetadata, validateMetadataUpdate } from "./metadata.ts";
import { validatePodSpec, validateUngated } from "./pod-spec.ts";
import { validateAddedTolerations } from "./tolerations.ts";

/** On a Pod that stands for one the node took from a file. */
export const MIRROR = "kubernetes.io/config.mirror";

const MIRROR_FIELD = `metadata.annotations[${MIRROR}]`;
const MAX_INT32 = 2 ** 31 - 1;

const CHANGEABLE =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

export function validatePod(pod: JsonObject): readonly FieldError[] {
  const spec = specOf(pod);
  const ephemeral = objectsAt(spec, "ephemeralContainers").length > 0;
  return [
    ...validateWhole(pod),
    ...(ephemeral ? [forbiddenField("spec.ephemeralContainers", "cannot be set on create")] : []),
    ...validateUngated(spec, "spec"),
  ];
}

export function validatePodUpdate(pod: JsonObject, old: JsonObject): readonly FieldError[] {
  const errors = [...validateAsChanged(pod, old)];
  const [spec, before] = [specOf(pod), specOf(old)];
  for (const list of ["containers", "initContainers"]) {
    const [containers, known] = [objectsAt(spec, list), objectsAt(before, list)];
    if (containers.length !== known.length) {
      return [...errors, forbiddenField(`spec.${list}`, "pod updates may not add or remove containers")];
    }
    errors.push(...containers.flatMap((one, index) => validateNewImage(one, `spec.${list}[${index}]`)));
  }
  const deadline = validateNewDeadline(spec, before);
  errors.push(...deadline.errors);
  if (deadline.final) return errors;
  const tolerations = objectsAt(spec, "tolerations");
  errors.push(
    ...validateAddedTolerations(tolerations, objectsAt(before, "tolerations"), "spec.tolerations"),
    ...validateGatesUpdate(spec, before),
    ...validateRest(spec, before),
  );
  return errors;
}

/** Through `ephemeralcontainers`; nothing else of the Pod differs, see `prepareForUpdate`. */
export function validateEphemeralUpdate(pod: JsonObject, old: JsonObject): readonly FieldError[] {
  if (MIRROR in (objectAt(objectAt(old, "metadata"), "annotations") ?? {})) {
    return [forbiddenField("", "static pods do not support ephemeral containers")];
  }
  const path = "spec.ephemeralContainers";
  const containers = objectsAt(specOf(pod), "ephemeralContainers");
  const changes = objectsAt(specOf(old), "ephemeralContainers").flatMap((before) => {
    const name = textAt(before, "name");
    const after = containers.find((one) => textAt(one, "name") === name);
    const which = `existing ephemeral containers ${goQuote(name)}`;
    if (after === undefined) return [forbiddenField(path, `${which} may not be removed\n`)];
    const [was, is] = [before, after].map((one) => printShape(one, "EphemeralContainer"));
    if (was === is) return [];
    return [forbiddenField(path, `${which} may not be changed\n${unifiedDiff(was ?? "", is ?? "")}`)];
  });
  return [...validateAsChanged(pod, old), ...changes];
}

/** Of a Pod or a template. */
export function validatePodAnnotations(
  metadata: JsonObject,
  spec: JsonObject,
  path: string,
): readonly FieldError[] {
  const mirror = objectAt(metadata, "annotations")?.[MIRROR];
  if (typeof mirror !== "string" || textAt(spec, "nodeName") !== "") return [];
  const why = "must set spec.nodeName if mirror pod annotation is set";
  return [invalidField(`${path}[${MIRROR}]`, mirror, why)];
}

function validateWhole(pod: JsonObject): readonly FieldError[] {
  const spec = specOf(pod);
  const metadata = metadataOf(pod);
  const padded = ["containers", "initContainers"].flatMap((list) =>
    objectsAt(spec, list).flatMap((one, index) => validateImagePadding(one, `spec.${list}[${index}]`)),
  );
  return [
    ...validateMetadata(metadata, NAMESPACED),
    ...validatePodAnnotations(metadata, spec, "metadata.annotations"),
    ...validatePodSpec(spec, "spec", true),
    ...validateTokenVolumes(spec),
    ...padded,
  ];
}

/** A token needs an account that it's for. */
function validateTokenVolumes(spec: JsonObject): readonly FieldError[] {
  if (textAt(spec, "serviceAccountName") !== "") return [];
  return objectsAt(spec, "volumes").flatMap((volume, index) =>
    objectsAt(objectAt(volume, "projected"), "sources").flatMap((source, place) => {
      if (isAbsent(source["serviceAccountToken"])) return [];
      const at = `spec.volumes[${index}].projected.sources[${place}].serviceAccountToken`;
      return [forbiddenField(at, "must not be specified when serviceAccountName is not set")];
    }),
  );
}

function validateAsChanged(pod: JsonObject, old: JsonObject): readonly FieldError[] {
  return [
    ...validateMetadataUpdate(metadataOf(pod), metadataOf(old)),
    ...validateWhole(pod),
    ...validateMirrorUpdate(pod, old),
  ];
}

function validateMirrorUpdate(pod: JsonObject, old: JsonObject): readonly FieldError[] {
  const [after, before] = [pod, old].map((one) => objectAt(metadataOf(one), "annotations")?.[MIRROR]);
  const errors: FieldError[] = [];
  if (before === undefined && after !== undefined) {
    errors.push(forbiddenField(MIRROR_FIELD, "may not add mirror pod annotation"));
  } else if (before !== after) {
    errors.push(forbiddenField(MIRROR_FIELD, "may not remove or update mirror pod annotation"));
  }
  return [...errors, ...validatePodAnnotations(metadataOf(pod), specOf(pod), "metadata.annotations")];
}

function validateNewImage(container: JsonObject, path: string): readonly FieldError[] {
  return textAt(container, "image") === ""
    ? [requiredField(`${path}.image`)]
    : validateImagePadding(container, path);
}

/** From none to some, or to less. */
function validateNewDeadline(
  spec: JsonObject,
  before: JsonObject,
): { readonly errors: readonly FieldError[]; readonly final: boolean } {
  const path = "spec.activeDeadlineSeconds";
  const [seconds, old] = [spec, before].map((one) => numberAt(one, "activeDeadlineSeconds"));
  if (seconds === undefined) {
    const why = "must not update from a positive integer to nil value";
    return { errors: old === undefined ? [] : [invalidField(path, null, why)], final: false };
  }
  const refuse = (why: string) => ({ errors: [invalidField(path, seconds, why)], final: true });
  if (seconds < 0 || seconds > MAX_INT32) return refuse(`must be between 0 and ${MAX_INT32}, inclusive`);
  if (old !== undefined && old < seconds) return refuse("must be less than or equal to previous value");
  return { errors: [], final: false };
}

/** Gates may go, never come. */
function validateGatesUpdate(spec: JsonObject, before: JsonObject): readonly FieldError[] {
  const known = new Set(objectsAt(before, "schedulingGates").map((gate) => textAt(gate, "name")));
  return objectsAt(spec, "schedulingGates").flatMap((gate, index) => {
    const name = textAt(gate, "name");
    if (known.has(name)) return [];
    const why = `only deletion is allowed, but found new scheduling gate '${name}'`;
    return [forbiddenField(`spec.schedulingGates[${index}]`, why)];
  });
}

/** Everything that isn't judged by itself has to stay as it is. */
function validateRest(spec: JsonObject, before: JsonObject): readonly FieldError[] {
  if (sameJson(spec, before)) return [];
  const gated = listAt(before, "schedulingGates").length > 0;
  const kept = withMembers(spec, {
    containers: withOldImages(spec, before, "containers"),
    initContainers: withOldImages(spec, before, "initContainers"),
    activeDeadlineSeconds: before["activeDeadlineSeconds"],
    schedulingGates: before["schedulingGates"],
    tolerations: before["tolerations"],
    terminationGracePeriodSeconds: oldGrace(spec, before),
    // Where a Pod isn't scheduled yet, what decides about it may be narrowed.
    ...(gated && { nodeSelector: before["nodeSelector"], affinity: before["affinity"] }),
  });
  if (sameJson(kept, before)) return [];
  const [was, is] = [printPodSpec(before), printPodSpec(kept)];
  return was === is ? [] : [forbiddenField("spec", `${CHANGEABLE}\n${unifiedDiff(was, is)}`)];
}

function withOldImages(spec: JsonObject, before: JsonObject, list: string): Json | undefined {
  if (!Array.isArray(spec[list])) return spec[list];
  const known = objectsAt(before, list);
  return objectsAt(spec, list).map((one, index) => withMembers(one, { image: known[index]?.["image"] }));
}

function oldGrace(spec: JsonObject, before: JsonObject): Json | undefined {
  const member = "terminationGracePeriodSeconds";
  const mended = (numberAt(before, member) ?? 0) < 0 && spec[member] === 1;
  return mended ? before[member] : spec[member];
}

function specOf(pod: JsonObject): JsonObject {
  return objectAt(pod, "spec") ?? {};
}

function metadataOf(object: JsonObject): JsonObject {
  return objectAt(object, "metadata") ?? {};
}
