/** What a patch made of an object, held against its type again. */
import { GoError } from "../../internal/go/errors.ts";
import type { JsonNode } from "../../internal/go/json-parse.ts";
import type { Json, KubernetesObject } from "../objects/object.ts";
import { type Mismatch, readNode } from "./read-node.ts";
import { findSchema, type Schema } from "./schema.ts";

export interface Converted {
  /** In its canonical form, without what its type doesn't know. */
  readonly object: KubernetesObject;
  /** `unknown field "imagePullSecrets[0].$patch"`; what they mean is `fieldValidation`'s to say. */
  readonly strictErrors: readonly string[];
}

/**
 * @param schemaName such as `io.k8s.api.core.v1.Pod`
 * @param words how a value of the wrong type is told: as after a JSON or merge patch, which the API server decodes
 *   from text, or as after a strategic merge patch, which it converts from a tree
 * @throws GoError for a value of the wrong type
 */
export function convertToSchema(value: Json, schemaName: string, words: "json" | "tree" = "json"): Converted {
  const schema = findSchema(schemaName);
  if (schema === undefined) throw new Error(`no schema called "${schemaName}"`);
  const read = readNode(toNode(value), schema, words === "tree" ? treeMismatch : undefined);
  return { object: read.value as unknown as KubernetesObject, strictErrors: read.strictErrors };
}

function toNode(value: Json | undefined): JsonNode {
  if (value === null || value === undefined) return { kind: "null" };
  if (typeof value === "string") return { kind: "string", value };
  if (typeof value === "boolean") return { kind: "bool", value };
  if (typeof value === "number") return { kind: "number", text: String(value) };
  if (Array.isArray(value)) return { kind: "array", items: value.map((item: Json) => toNode(item)) };
  // A member without a value is one that isn't there.
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return { kind: "object", members: members.map(([name, member]) => [name, toNode(member as Json)]) };
}

const treeMismatch: Mismatch = (node, schema) => {
  const [type, kind] = treeType(node);
  switch (schema.kind) {
    case "struct":
      return new GoError(`cannot restore struct from: ${kind}`);
    case "map":
      return new GoError(`cannot restore map from ${kind}`);
    case "list":
    case "bytes":
      return new GoError(`cannot restore slice from ${kind}`);
    case "quantity":
    case "time":
    case "intOrString":
    case "raw":
    case "string":
    case "integer":
    case "boolean":
      break;
  }
  return new GoError(
    isConvertible(type, schema)
      ? `cannot convert ${type} to ${schema.goType}`
      : `unrecognized type: ${schema.kind === "string" ? "string" : schema.goType}`,
  );
};

/** The Go type that a value has in a tree, and its kind. */
function treeType(node: JsonNode): readonly [type: string, kind: string] {
  switch (node.kind) {
    case "number":
      return /^-?\d+$/.test(node.text) ? ["int64", "int64"] : ["float64", "float64"];
    case "object":
      return ["map[string]interface {}", "map"];
    case "array":
      return ["[]interface {}", "slice"];
    case "null":
    case "bool":
    case "string":
      break;
  }
  return [node.kind, node.kind];
}

/** Go would turn numbers into each other, and a whole one into the character it stands for; the converter won't. */
function isConvertible(type: string, schema: Schema): boolean {
  if (schema.kind === "integer") return type === "int64" || type === "float64";
  return schema.kind === "string" && type === "int64";
}
