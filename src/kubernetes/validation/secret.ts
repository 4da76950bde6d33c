/** What holds for Secrets and ConfigMaps. No error repeats what a Secret holds. */
import { decodeBase64 } from "../../internal/go/base64.ts";
import { GoError } from "../../internal/go/errors.ts";
import { decodeJson, type GoType, goCustom, goMap } from "../../internal/go/json-decode.ts";
import type { JsonNode } from "../../internal/go/json-parse.ts";
import {
  type FieldError,
  forbiddenField,
  invalidField,
  invalidWord,
  requiredField,
  tooLongField,
} from "../../internal/kubernetes/field-error.ts";
import { entriesAt, flagAt, objectAt, ownValue, sameJson, textAt } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { IMMUTABLE, invalids, NAMESPACED, validateMetadata, validateMetadataUpdate } from "./metadata.ts";
import { configKeyFaults } from "./names.ts";

/** Of all values together, decoded. */
const LIMIT = 1024 * 1024;

const ACCOUNT_NAME = "kubernetes.io/service-account.name";
const REDACTED = "<secret contents redacted>";
const FROZEN = "field is immutable when `immutable` is set";

/** What a document of credentials must be at its top; what lies below is for those who use it. */
const DOCUMENT: GoType<unknown> = goMap(
  "map[string]interface {}",
  goCustom("interface {}", undefined, checkNumbers),
);

const TYPES: ReadonlyMap<string, (secret: JsonObject) => readonly FieldError[]> = new Map(
  Object.entries({
    "kubernetes.io/dockercfg": (secret: JsonObject) => validateDocument(secret, ".dockercfg"),
    "kubernetes.io/dockerconfigjson": (secret: JsonObject) => validateDocument(secret, ".dockerconfigjson"),
    "kubernetes.io/service-account-token": validateToken,
    "kubernetes.io/basic-auth": (secret: JsonObject) =>
      has(secret, "username") || has(secret, "password") ? [] : missing(secret, "username", "password"),
    "kubernetes.io/ssh-auth": (secret: JsonObject) =>
      textAt(objectAt(secret, "data"), "ssh-privatekey") === "" ? [requiredAt("ssh-privatekey")] : [],
    "kubernetes.io/tls": (secret: JsonObject) => missing(secret, "tls.crt", "tls.key"),
  }),
);

export function validateSecret(secret: JsonObject): readonly FieldError[] {
  const errors: FieldError[] = [...validateMetadata(objectAt(secret, "metadata") ?? {}, NAMESPACED)];
  let size = 0;
  for (const [key, value] of entriesAt(secret, "data")) {
    errors.push(...invalids(`data[${key}]`, key, configKeyFaults(key)));
    const bytes = tryBytes(value);
    if (typeof bytes === "string") errors.push(invalidField(`data[${key}]`, REDACTED, bytes));
    else size += bytes.length;
  }
  if (size > LIMIT) errors.push(tooLongField("data", LIMIT));
  return [...errors, ...(TYPES.get(textAt(secret, "type"))?.(secret) ?? [])];
}

export function validateSecretUpdate(secret: JsonObject, old: JsonObject): readonly FieldError[] {
  const type = textAt(secret, "type");
  return [
    ...validateMetadataUpdate(objectAt(secret, "metadata") ?? {}, objectAt(old, "metadata") ?? {}),
    ...(type === textAt(old, "type") ? [] : [invalidWord("type", type, IMMUTABLE)]),
    ...validateFrozen(secret, old, ["data"]),
    ...validateSecret(secret),
  ];
}

export function validateConfigMap(map: JsonObject): readonly FieldError[] {
  const binary = objectAt(map, "binaryData") ?? {};
  const errors: FieldError[] = [...validateMetadata(objectAt(map, "metadata") ?? {}, NAMESPACED)];
  let size = 0;
  for (const [key, value] of entriesAt(map, "data")) {
    errors.push(...invalids(`data[${key}]`, key, configKeyFaults(key)));
    if (Object.hasOwn(binary, key))
      errors.push(invalidField(`data[${key}]`, key, "duplicate of key present in binaryData"));
    size += Buffer.byteLength(typeof value === "string" ? value : "");
  }
  for (const [key, value] of entriesAt(map, "binaryData")) {
    errors.push(...invalids(`binaryData[${key}]`, key, configKeyFaults(key)));
    size += tryBytes(value).length;
  }
  return size > LIMIT ? [...errors, tooLongField("", LIMIT)] : errors;
}

export function validateConfigMapUpdate(map: JsonObject, old: JsonObject): readonly FieldError[] {
  return [
    ...validateMetadataUpdate(objectAt(map, "metadata") ?? {}, objectAt(old, "metadata") ?? {}),
    ...validateFrozen(map, old, ["data", "binaryData"]),
    ...validateConfigMap(map),
  ];
}

function validateFrozen(
  object: JsonObject,
  old: JsonObject,
  members: readonly string[],
): readonly FieldError[] {
  if (!flagAt(old, "immutable")) return [];
  const changed = members.filter((name) => !sameJson(object[name] ?? {}, old[name] ?? {}));
  return [
    ...(flagAt(object, "immutable") ? [] : [forbiddenField("immutable", FROZEN)]),
    ...changed.map((name) => forbiddenField(name, FROZEN)),
  ];
}

function validateDocument(secret: JsonObject, key: string): readonly FieldError[] {
  if (!has(secret, key)) return [requiredAt(key)];
  try {
    decodeJson(bytesOf(objectAt(secret, "data")?.[key]), DOCUMENT);
    return [];
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    return [invalidField(`data[${key}]`, REDACTED, error.message)];
  }
}

/** Whatever lies below has to fit into Go's values all the same, which numbers may not. */
function checkNumbers(node: JsonNode): void {
  if (node.kind === "array") for (const item of node.items) checkNumbers(item);
  if (node.kind === "object") for (const [, member] of node.members) checkNumbers(member);
  if (node.kind !== "number" || Number.isFinite(Number(node.text))) return;
  throw new GoError(`json: cannot unmarshal number ${node.text} into Go value of type float64`);
}

function validateToken(secret: JsonObject): readonly FieldError[] {
  const annotations = objectAt(objectAt(secret, "metadata"), "annotations");
  if (textAt(annotations, ACCOUNT_NAME) !== "") return [];
  return [requiredField(`metadata.annotations[${ACCOUNT_NAME}]`)];
}

function missing(secret: JsonObject, ...keys: readonly string[]): readonly FieldError[] {
  return keys.filter((key) => !has(secret, key)).map((key) => requiredAt(key));
}

function requiredAt(key: string): FieldError {
  return requiredField(`data[${key}]`);
}

function has(secret: JsonObject, key: string): boolean {
  return ownValue(objectAt(secret, "data"), key) !== undefined;
}

/** What is wrong instead, where somebody made an object that was never decoded. */
function tryBytes(value: unknown): Uint8Array | string {
  try {
    return bytesOf(value);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    return error.message;
  }
}

/** @throws GoError for what is no base64 */
function bytesOf(value: unknown): Uint8Array {
  return typeof value === "string" ? decodeBase64(value, { padded: true }) : new Uint8Array();
}
