/** What holds for the rights a container or a Pod runs with. */
import {
  type FieldError,
  invalidField,
  requiredField,
  unsupportedWord,
} from "../../internal/kubernetes/field-error.ts";
import { isAbsent, listAt, numberAt, objectAt, objectsAt, textAt } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { printShape } from "./go-shape.ts";

const MAX_ID = 2 ** 31 - 1;
const PROFILES = ["Localhost", "RuntimeDefault", "Unconfined"];
const PROC_MOUNTS = ["Default", "Unmasked"];

export function validateSecurityContext(
  context: JsonObject | undefined,
  path: string,
): readonly FieldError[] {
  if (context === undefined) return [];
  const errors: FieldError[] = [
    ...validateId(context, "runAsUser", path),
    ...validateId(context, "runAsGroup", path),
  ];
  const procMount = context["procMount"];
  if (typeof procMount === "string" && !PROC_MOUNTS.includes(procMount)) {
    errors.push(unsupportedWord(`${path}.procMount`, procMount, PROC_MOUNTS));
  }
  errors.push(...validateProfile(context, "seccompProfile", path));
  if (context["allowPrivilegeEscalation"] === false) {
    const value = JSON.parse(printShape(context, "SecurityContext")) as never;
    if (context["privileged"] === true) {
      const why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
      errors.push(invalidField(path, value, why));
    }
    if (listAt(objectAt(context, "capabilities"), "add").includes("CAP_SYS_ADMIN")) {
      const why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
      errors.push(invalidField(path, value, why));
    }
  }
  return [...errors, ...validateProfile(context, "appArmorProfile", path)];
}

export function validatePodSecurityContext(
  context: JsonObject | undefined,
  path: string,
): readonly FieldError[] {
  if (context === undefined) return [];
  return [
    ...validateId(context, "fsGroup", path),
    ...validateId(context, "runAsUser", path),
    ...validateId(context, "runAsGroup", path),
    ...listAt(context, "supplementalGroups").flatMap((group, index) =>
      typeof group === "number" ? validateIdValue(group, `${path}.supplementalGroups[${index}]`) : [],
    ),
    ...validateSysctls(context, `${path}.sysctls`),
    ...validateProfile(context, "seccompProfile", path),
    ...validateProfile(context, "appArmorProfile", path),
  ];
}

function validateId(context: JsonObject, name: string, path: string): readonly FieldError[] {
  const id = numberAt(context, name);
  return id === undefined ? [] : validateIdValue(id, `${path}.${name}`);
}

function validateIdValue(id: number, path: string): readonly FieldError[] {
  if (id >= 0 && id <= MAX_ID) return [];
  return [invalidField(path, id, `must be between 0 and ${MAX_ID}, inclusive`)];
}

function validateProfile(context: JsonObject, name: string, path: string): readonly FieldError[] {
  const profile = objectAt(context, name);
  if (profile === undefined) return [];
  const type = textAt(profile, "type");
  const local = profile["localhostProfile"];
  const at = `${path}.${name}`;
  if (type === "") return [requiredField(`${at}.type`, "type is required when seccompProfile is set")];
  if (type === "Localhost") {
    if (!isAbsent(local) && local !== "") return [];
    const why =
      name === "seccompProfile"
        ? "must be set when seccomp type is Localhost"
        : "must be set when AppArmor type is Localhost";
    return [requiredField(`${at}.localhostProfile`, why)];
  }
  if (!PROFILES.includes(type)) return [unsupportedWord(`${at}.type`, type, PROFILES)];
  if (isAbsent(local)) return [];
  const kind = name === "seccompProfile" ? "seccomp" : "AppArmor";
  return [invalidField(`${at}.localhostProfile`, local, `can only be set when ${kind} type is Localhost`)];
}

function validateSysctls(context: JsonObject, path: string): readonly FieldError[] {
  const pattern = "([a-z0-9][-_a-z0-9]*[a-z0-9]|[a-z0-9])([\\./]([a-z0-9][-_a-z0-9]*[a-z0-9]|[a-z0-9]))*";
  return objectsAt(context, "sysctls").flatMap((sysctl, index) => {
    const name = textAt(sysctl, "name");
    const at = `${path}[${index}].name`;
    if (name === "") return [requiredField(at)];
    if (name.length <= 253 && new RegExp(`^${pattern}$`).test(name)) return [];
    return [invalidField(at, name, `must have at most 253 characters and match regex ^${pattern}$`)];
  });
}
