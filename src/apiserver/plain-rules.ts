/** Rules that know no kinds: any JSON object is one. For tests of the server itself. */
import {
  badRequest,
  formatApiVersion,
  type Json,
  type JsonObject,
  type KubernetesObject,
} from "../kubernetes/index.ts";
import { requiredField } from "../internal/kubernetes/field-error.ts";
import { yaml } from "../internal/yaml.ts";
import type { ApiRules } from "./rules.ts";

export const plainRules: ApiRules = {
  decode: (body, { contentType, kind }) => {
    const text = Buffer.from(body).toString("utf8");
    const read = contentType.includes("yaml") ? (yaml().parse(text) as Json) : (JSON.parse(text) as Json);
    if (typeof read !== "object" || read === null || Array.isArray(read)) throw badRequest("not an object");
    const { metadata = {} } = read as JsonObject;
    const object = { ...(read as JsonObject), metadata } as KubernetesObject;
    if (object.kind !== undefined && object.kind !== kind.kind) {
      throw badRequest(`${object.kind} cannot be handled as a ${kind.kind}`);
    }
    return { object: { ...object, kind: kind.kind, apiVersion: formatApiVersion(kind) }, warnings: [] };
  },
  applyDefaults: (object) => object,
  prepareForCreate: (object) => {
    if (object.kind !== "Namespace") return { ...object, metadata: { generation: 1, ...object.metadata } };
    return { ...object, spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } };
  },
  prepareForUpdate: (object, old, subresource) => {
    const kept = subresource === "status" ? { ...old, metadata: object.metadata } : object;
    const status = subresource === "status" ? object["status"] : old["status"];
    return { ...kept, ...(status !== undefined && { status }) };
  },
  validateCreate: (object) => {
    const named = (object.metadata.name ?? "") !== "";
    return named ? [] : [requiredField("metadata.name", "name or generateName is required")];
  },
  validateUpdate: () => [],
  warningsFor: () => [],
  applyPatch: (object, patch) => ({ object: merge(object, patch) as KubernetesObject, warnings: [] }),
  applyConfiguration: (live, applied) => merge(live ?? {}, applied) as KubernetesObject,
  trackManagedFields: (_live, object) => object,
  ignoreTimestampsAlone: (_live, object) => object,
  parseLabelSelector: (text) => (labels) => {
    return pairs(text).every(([name, value]) => labels[name] === value);
  },
  parseFieldSelector: (text) => (object) => {
    return pairs(text).every(([path, value]) => (at(object, path.split(".")) ?? "") === value);
  },
};

function merge(target: Json, patch: Json): Json {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const before =
    typeof target === "object" && target !== null && !Array.isArray(target) ? (target as JsonObject) : {};
  const merged: Record<string, Json | undefined> = { ...before };
  for (const [name, value] of Object.entries(patch as JsonObject)) {
    if (value === null) delete merged[name];
    else if (value !== undefined) merged[name] = merge(merged[name] ?? {}, value);
  }
  return merged;
}

function pairs(text: string): readonly (readonly [string, string])[] {
  return text.split(",").map((part) => {
    const [name = "", value = ""] = part.split(/==?/);
    return [name.trim(), value.trim()];
  });
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) => (inner as Readonly<Record<string, unknown>> | undefined)?.[name],
    value,
  );
}
