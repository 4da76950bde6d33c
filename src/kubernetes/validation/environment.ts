/** What holds for a container's environment. */
import {
  type FieldError,
  invalidField,
  requiredField,
  unsupportedField,
} from "../../internal/kubernetes/field-error.ts";
import { qualifiedNameFaults } from "../../internal/kubernetes/qualified-name.ts";
import { isAbsent, objectAt, objectsAt, textAt } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { invalids } from "./metadata.ts";
import { configKeyFaults, subdomainFaults, variableNameFaults } from "./names.ts";

/** What a Pod may tell its containers about itself in their environment. */
const VARIABLE_FIELDS = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];

/** The same in files. */
export const FILE_FIELDS: readonly string[] = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
];

const KNOWN_FIELDS = new Set([
  ...VARIABLE_FIELDS,
  ...FILE_FIELDS,
  "spec.restartPolicy",
  "spec.schedulerName",
  "status.phase",
]);

const SOURCES = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];

/** Which amounts a container may read, in the environment and in files. */
const AMOUNTS = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];

export function validateEnvironment(container: JsonObject, path: string): readonly FieldError[] {
  return objectsAt(container, "env").flatMap((variable, index) => {
    const at = `${path}[${index}]`;
    const name = textAt(variable, "name");
    return [
      ...(name === ""
        ? [requiredField(`${at}.name`)]
        : invalids(`${at}.name`, name, variableNameFaults(name))),
      ...validateValueFrom(variable, `${at}.valueFrom`),
    ];
  });
}

export function validateEnvironmentSources(container: JsonObject, path: string): readonly FieldError[] {
  return objectsAt(container, "envFrom").flatMap((source, index) => {
    const at = `${path}[${index}]`;
    const prefix = textAt(source, "prefix");
    const given = ["configMapRef", "secretRef"].filter((name) => !isAbsent(source[name]));
    const errors = [
      ...invalids(`${at}.prefix`, prefix, variableNameFaults(prefix)),
      ...given.flatMap((name) => validateName(objectAt(source, name), `${at}.${name}`)),
    ];
    if (given.length === 0) {
      errors.push(invalidField(path, "", "must specify one of: `configMapRef` or `secretRef`"));
    } else if (given.length > 1) {
      errors.push(invalidField(path, "", "may not have more than one field specified at a time"));
    }
    return errors;
  });
}

/** @param fields those that may be read there */
export function validateFieldRef(
  ref: JsonObject | undefined,
  fields: readonly string[],
  path: string,
): readonly FieldError[] {
  const field = textAt(ref, "fieldPath");
  if (textAt(ref, "apiVersion") === "") return [requiredField(`${path}.apiVersion`)];
  if (field === "") return [requiredField(`${path}.fieldPath`)];
  const at = `${path}.fieldPath`;
  const [, base = "", key] = /^(.*?)\['(.*)'\]$/.exec(field) ?? [];
  if (key !== undefined) {
    if (base === "metadata.annotations") return invalids(at, key, qualifiedNameFaults(key.toLowerCase()));
    if (base === "metadata.labels") return invalids(at, key, qualifiedNameFaults(key));
    return [invalidField(at, base, "does not support subscript")];
  }
  if (!KNOWN_FIELDS.has(field)) {
    return [invalidField(at, field, `error converting fieldPath: field label not supported: ${field}`)];
  }
  return fields.includes(field) ? [] : [unsupportedField(at, field, fields)];
}

export function validateResourceFieldRef(ref: JsonObject | undefined, path: string): readonly FieldError[] {
  const resource = textAt(ref, "resource");
  if (resource === "") return [requiredField(`${path}.resource`)];
  if (AMOUNTS.includes(resource) || /^(limits|requests)\.hugepages-/.test(resource)) return [];
  return [unsupportedField(`${path}.resource`, resource, AMOUNTS)];
}

function validateValueFrom(variable: JsonObject, path: string): readonly FieldError[] {
  const from = objectAt(variable, "valueFrom");
  if (from === undefined) return [];
  const given = SOURCES.filter((name) => !isAbsent(from[name]));
  const errors = given.flatMap((name) => validateSource(from, name, `${path}.${name}`));
  if (given.length === 0) {
    const list = SOURCES.map((name) => `\`${name}\``);
    const why = `must specify one of: ${list.slice(0, -1).join(", ")} or ${list.at(-1) ?? ""}`;
    return [...errors, invalidField(path, "", why)];
  }
  if (textAt(variable, "value") !== "") {
    return [...errors, invalidField(path, "", "may not be specified when `value` is not empty")];
  }
  if (given.length === 1) return errors;
  return [...errors, invalidField(path, "", "may not have more than one field specified at a time")];
}

function validateSource(from: JsonObject, name: string, path: string): readonly FieldError[] {
  const ref = objectAt(from, name);
  if (name === "fieldRef") return validateFieldRef(ref, VARIABLE_FIELDS, path);
  if (name === "resourceFieldRef") return validateResourceFieldRef(ref, path);
  if (name === "fileKeyRef") {
    return ["volumeName", "path", "key"]
      .filter((member) => textAt(ref, member) === "")
      .map((member) => requiredField(`${path}.${member}`));
  }
  const key = textAt(ref, "key");
  const object = textAt(ref, "name");
  return [
    ...invalids(`${path}.name`, object, subdomainFaults(object)),
    ...(key === "" ? [requiredField(`${path}.key`)] : invalids(`${path}.key`, key, configKeyFaults(key))),
  ];
}

function validateName(ref: JsonObject | undefined, path: string): readonly FieldError[] {
  const name = textAt(ref, "name");
  return name === ""
    ? [requiredField(`${path}.name`)]
    : invalids(`${path}.name`, name, subdomainFaults(name));
}
