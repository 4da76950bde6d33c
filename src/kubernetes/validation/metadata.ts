/** What holds for the metadata of every kind. */
import {
  type FieldError,
  forbiddenField,
  invalidField,
  requiredField,
  tooLongField,
} from "../../internal/kubernetes/field-error.ts";
import { qualifiedNameFaults } from "../../internal/kubernetes/qualified-name.ts";
import { goQuote } from "../../internal/go/quote.ts";
import {
  entriesAt,
  flagAt,
  numberAt,
  objectsAt,
  sameJson,
  scalarText,
  textAt,
  textsAt,
} from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import {
  labelFaults,
  labelValueFaults,
  type NameRule,
  prefixFaults,
  segmentFaults,
  subdomainFaults,
} from "./names.ts";

/** Of all annotations' names and values together, in bytes. */
const ANNOTATIONS_LIMIT = 256 * 1024;

const MANAGER_LIMIT = 128;

/** The finalizers without a domain that mean something. */
const FINALIZERS = ["kubernetes", "orphan", "foregroundDeletion"];

export const IMMUTABLE = "field is immutable";

/** What an object's kind decides. */
export interface MetadataRules {
  readonly name: NameRule;
  readonly namespaced: boolean;
}

/** Of a kind of the API server's own, which minds its finalizers' names. */
export function validateMetadata(
  metadata: JsonObject,
  rules: MetadataRules,
  path: string = "metadata",
): readonly FieldError[] {
  return [...validateAnyMetadata(metadata, rules, path), ...validateKubernetesFinalizers(metadata, path)];
}

/** What holds before a kind's own rules are asked whether an object may be changed so. */
export function validateCommonUpdate(
  metadata: JsonObject,
  old: JsonObject,
  namespaced: boolean,
): readonly FieldError[] {
  return [
    ...validateAnyMetadata(metadata, { name: segmentFaults, namespaced }, "metadata"),
    ...validateAnyUpdate(metadata, old, "metadata"),
  ];
}

export function validateMetadataUpdate(metadata: JsonObject, old: JsonObject): readonly FieldError[] {
  return [
    ...validateAnyUpdate(metadata, old, "metadata"),
    ...validateKubernetesFinalizers(metadata, "metadata"),
  ];
}

function validateAnyMetadata(
  metadata: JsonObject,
  rules: MetadataRules,
  path: string,
): readonly FieldError[] {
  const generateName = textAt(metadata, "generateName");
  const name = textAt(metadata, "name");
  return [
    ...(generateName === ""
      ? []
      : invalids(`${path}.generateName`, generateName, prefixFaults(rules.name, generateName))),
    ...(name === ""
      ? [requiredField(`${path}.name`, "name or generateName is required")]
      : invalids(`${path}.name`, name, rules.name(name))),
    ...validateNamespace(metadata, rules.namespaced, path),
    ...validateNonNegative(numberAt(metadata, "generation") ?? 0, `${path}.generation`),
    ...validateCommon(metadata, path, validateFinalizers(metadata, path)),
  ];
}

function validateAnyUpdate(metadata: JsonObject, old: JsonObject, path: string): readonly FieldError[] {
  const version = textAt(metadata, "resourceVersion");
  const generation = numberAt(metadata, "generation") ?? 0;
  const errors: FieldError[] = [...validateNewFinalizers(metadata, old, path)];
  if (version === "" && textAt(old, "resourceVersion") !== "") {
    errors.push(invalidField(`${path}.resourceVersion`, "", "must be specified for an update"));
  }
  if (generation < (numberAt(old, "generation") ?? 0)) {
    errors.push(invalidField(`${path}.generation`, generation, "must not be decremented"));
  }
  for (const name of ["name", "namespace", "uid"]) {
    const value = textAt(metadata, name);
    if (value !== textAt(old, name)) errors.push(invalidField(`${path}.${name}`, value, IMMUTABLE));
  }
  for (const name of ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]) {
    const value = metadata[name];
    if (!sameJson(value ?? null, old[name] ?? null)) {
      errors.push(invalidField(`${path}.${name}`, value ?? null, IMMUTABLE));
    }
  }
  return [...errors, ...validateCommon(metadata, path)];
}

export function validateLabels(
  from: JsonObject | undefined,
  member: string,
  path: string,
): readonly FieldError[] {
  const field = `${path}.${member}`;
  return entriesAt(from, member).flatMap(([name, value]) => [
    ...invalids(field, name, qualifiedNameFaults(name)),
    ...invalids(field, typeof value === "string" ? value : "", labelValueFaults(scalarText(value))),
  ]);
}

export function validateAnnotations(metadata: JsonObject | undefined, path: string): readonly FieldError[] {
  const field = `${path}.annotations`;
  const entries = entriesAt(metadata, "annotations");
  const errors = entries.flatMap(([name]) =>
    // Names are compared without regard to case, so only their letters' form is judged in small.
    invalids(field, name, qualifiedNameFaults(name.toLowerCase())),
  );
  const size = entries.reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(scalarText(value)),
    0,
  );
  return size > ANNOTATIONS_LIMIT ? [...errors, tooLongField(field, ANNOTATIONS_LIMIT)] : errors;
}

/** One error for each thing that is wrong with a value. */
export function invalids(field: string, value: string, faults: readonly string[]): readonly FieldError[] {
  return faults.map((fault) => invalidField(field, value, fault));
}

export function validateNonNegative(value: number, field: string): readonly FieldError[] {
  return value < 0 ? [invalidField(field, value, "must be greater than or equal to 0")] : [];
}

function validateNamespace(metadata: JsonObject, needed: boolean, path: string): readonly FieldError[] {
  const field = `${path}.namespace`;
  const namespace = textAt(metadata, "namespace");
  if (!needed) return namespace === "" ? [] : [forbiddenField(field, "not allowed on this type")];
  return namespace === "" ? [requiredField(field)] : invalids(field, namespace, labelFaults(namespace));
}

function validateCommon(
  metadata: JsonObject,
  path: string,
  finalizers: readonly FieldError[] = [],
): readonly FieldError[] {
  return [
    ...validateLabels(metadata, "labels", path),
    ...validateAnnotations(metadata, path),
    ...validateOwners(metadata, path),
    ...finalizers,
    ...validateManagers(metadata, path),
  ];
}

function validateOwners(metadata: JsonObject, path: string): readonly FieldError[] {
  const field = `${path}.ownerReferences`;
  const owners = objectsAt(metadata, "ownerReferences");
  const errors: FieldError[] = [];
  let controller: string | undefined;
  for (const [index, owner] of owners.entries()) {
    const at = `${field}[${index}]`;
    const apiVersion = textAt(owner, "apiVersion");
    const version = apiVersion.slice(apiVersion.indexOf("/") + 1);
    if (version === "")
      errors.push(invalidField(`${at}.apiVersion`, apiVersion, "version must not be empty"));
    for (const name of ["kind", "name", "uid"]) {
      if (textAt(owner, name) === "") errors.push(invalidField(`${at}.${name}`, "", "must not be empty"));
    }
    if (apiVersion === "v1" && textAt(owner, "kind") === "Event") {
      errors.push(invalidField(at, owner as never, "/v1, Kind=Event is disallowed from being an owner"));
    }
    if (!flagAt(owner, "controller")) continue;
    const { name, kind } = { name: textAt(owner, "name"), kind: textAt(owner, "kind") };
    if (controller !== undefined) {
      const why = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${kind}/${name}`;
      errors.push(invalidField(field, owners as never, why));
    } else controller = `${kind}/${name}`;
  }
  return errors;
}

function validateManagers(metadata: JsonObject, path: string): readonly FieldError[] {
  return objectsAt(metadata, "managedFields").flatMap((entry, index) => {
    const at = `${path}.managedFields[${index}]`;
    const operation = textAt(entry, "operation");
    const type = textAt(entry, "fieldsType");
    const manager = textAt(entry, "manager");
    return [
      ...(operation === "Apply" || operation === "Update"
        ? []
        : [invalidField(`${at}.operation`, operation, "must be `Apply` or `Update`")]),
      ...(type === "" || type === "FieldsV1"
        ? []
        : [invalidField(`${at}.fieldsType`, type, "must be `FieldsV1`")]),
      ...(manager.length > MANAGER_LIMIT ? [tooLongField(`${at}.manager`, MANAGER_LIMIT)] : []),
    ];
  });
}

function validateFinalizers(metadata: JsonObject, path: string): readonly FieldError[] {
  const field = `${path}.finalizers`;
  const names = textsAt(metadata, "finalizers");
  const errors = names.flatMap((name) => invalids(field, name, qualifiedNameFaults(name)));
  if (!names.includes("orphan") || !names.includes("foregroundDeletion")) return errors;
  const why = "finalizer orphan and foregroundDeletion cannot be both set";
  return [...errors, invalidField(field, [...names], why)];
}

function validateKubernetesFinalizers(metadata: JsonObject, path: string): readonly FieldError[] {
  return textsAt(metadata, "finalizers").flatMap((name, index) =>
    name.includes("/") || FINALIZERS.includes(name)
      ? []
      : [
          invalidField(
            `${path}.finalizers[${index}]`,
            name,
            "name is neither a standard finalizer name nor is it fully qualified",
          ),
        ],
  );
}

/** What is being deleted takes no new reason to stay. */
function validateNewFinalizers(metadata: JsonObject, old: JsonObject, path: string): readonly FieldError[] {
  if (textAt(old, "deletionTimestamp") === "") return [];
  const known = textsAt(old, "finalizers");
  const added = textsAt(metadata, "finalizers").filter((name) => !known.includes(name));
  if (added.length === 0) return [];
  const list = added.toSorted().map((name) => goQuote(name));
  const why = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list.join(", ")}}`;
  return [forbiddenField(`${path}.finalizers`, why)];
}

/** For names that are subdomains in a namespace, as most are. */
export const NAMESPACED: MetadataRules = { name: subdomainFaults, namespaced: true };
export const CLUSTERED: MetadataRules = { name: subdomainFaults, namespaced: false };
