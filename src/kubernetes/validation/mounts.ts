/** What holds for where a container finds its volumes. */
import {
  type FieldError,
  invalidField,
  notFoundField,
  requiredField,
  unsupportedWord,
} from "../../internal/kubernetes/field-error.ts";
import { flagAt, isAbsent, objectAt, objectsAt, textAt } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";

const PROPAGATIONS = ["Bidirectional", "HostToContainer", "None"];
const RECURSIONS = ["Disabled", "Enabled", "IfPossible"];

export function validateMounts(
  container: JsonObject,
  volumes: ReadonlyMap<string, JsonObject>,
  path: string,
): readonly FieldError[] {
  const places = new Set<string>();
  const devices = objectsAt(container, "volumeDevices");
  return objectsAt(container, "volumeMounts").flatMap((mount, index) => {
    const at = `${path}[${index}]`;
    const name = textAt(mount, "name");
    const place = textAt(mount, "mountPath");
    const errors: FieldError[] = [];
    if (name === "") errors.push(requiredField(`${at}.name`));
    if (!volumes.has(name)) errors.push(notFoundField(`${at}.name`, name));
    if (place === "") errors.push(requiredField(`${at}.mountPath`));
    if (places.has(place)) errors.push(invalidField(`${at}.mountPath`, place, "must be unique"));
    places.add(place);
    if (devices.some((device) => textAt(device, "name") === name)) {
      errors.push(invalidField(`${at}.name`, name, "must not already exist in volumeDevices"));
    }
    if (devices.some((device) => textAt(device, "devicePath") === place)) {
      errors.push(
        invalidField(`${at}.mountPath`, place, "must not already exist as a path in volumeDevices"),
      );
    }
    return [...errors, ...validateSubPaths(mount, path), ...validateSharing(mount, container, path)];
  });
}

export function validateDevices(
  container: JsonObject,
  volumes: ReadonlyMap<string, JsonObject>,
  path: string,
): readonly FieldError[] {
  const places = new Set<string>();
  return objectsAt(container, "volumeDevices").flatMap((device, index) => {
    const at = `${path}[${index}]`;
    const name = textAt(device, "name");
    const place = textAt(device, "devicePath");
    const errors: FieldError[] = [];
    const volume = volumes.get(name);
    if (name === "") errors.push(requiredField(`${at}.name`));
    if (volume === undefined) errors.push(notFoundField(`${at}.name`, name));
    else if (isAbsent(volume["persistentVolumeClaim"]) && isAbsent(volume["ephemeral"])) {
      const why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
      errors.push(invalidField(`${at}.name`, name, why));
    }
    if (place === "") errors.push(requiredField(`${at}.devicePath`));
    if (places.has(place)) errors.push(invalidField(`${at}.devicePath`, place, "must be unique"));
    places.add(place);
    return errors;
  });
}

/** A path below the one it belongs to. */
export function validateDescendingPath(text: string, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (text.startsWith("/")) errors.push(invalidField(path, text, "must be a relative path"));
  return [...errors, ...validateNoBacksteps(text, path)];
}

export function validateNoBacksteps(text: string, path: string): readonly FieldError[] {
  return text.split("/").includes("..") ? [invalidField(path, text, "must not contain '..'")] : [];
}

// These name the list rather than its item, as the API server does.
function validateSubPaths(mount: JsonObject, path: string): readonly FieldError[] {
  const subPath = textAt(mount, "subPath");
  const expression = textAt(mount, "subPathExpr");
  const errors = subPath === "" ? [] : [...validateDescendingPath(subPath, `${path}.subPath`)];
  if (expression === "") return errors;
  const at = `${path}.subPathExpr`;
  if (subPath !== "") {
    errors.push(invalidField(at, expression, "subPathExpr and subPath are mutually exclusive"));
  }
  return [...errors, ...validateDescendingPath(expression, at)];
}

function validateSharing(mount: JsonObject, container: JsonObject, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const propagation = mount["mountPropagation"];
  if (typeof propagation === "string") {
    const at = `${path}.mountPropagation`;
    if (!PROPAGATIONS.includes(propagation)) errors.push(unsupportedWord(at, propagation, PROPAGATIONS));
    if (propagation === "Bidirectional" && !flagAt(objectAt(container, "securityContext"), "privileged")) {
      const why = "Bidirectional mount propagation is available only to privileged containers";
      errors.push(invalidField(at, propagation, why));
    }
  }
  const recursive = mount["recursiveReadOnly"];
  if (typeof recursive === "string" && !RECURSIONS.includes(recursive)) {
    errors.push(unsupportedWord(`${path}.recursiveReadOnly`, recursive, RECURSIONS));
  }
  return errors;
}
