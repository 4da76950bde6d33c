/** What an API server makes up, and what only its clock decides. */
import type { Json, JsonObject } from "../../../src/kubernetes/index.ts";
import { asObject } from "../../../src/kubernetes/objects/fields.ts";

const MADE_UP = new Set([
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "deletionTimestamp",
  "generation",
  "managedFields",
]);

/** The volume by which a Pod gets its token, whose name is drawn by lot. */
const TOKEN_VOLUME = "kube-api-access-";

/** The object without them. */
export function withoutChance(value: Json): Json {
  const object = asObject(value);
  if (object === undefined) return value;
  const metadata = asObject(object["metadata"]);
  const plain: Record<string, Json | undefined> = { ...object };
  if (metadata !== undefined) plain["metadata"] = omit(metadata);
  const details = asObject(object["details"]);
  if (details !== undefined) plain["details"] = omit(details);
  if (object["kind"] === "Pod") plain["spec"] = withoutToken(asObject(object["spec"]) ?? {});
  return plain as JsonObject;
}

function omit(from: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(from).filter(([name]) => !MADE_UP.has(name)));
}

function withoutToken(spec: JsonObject): JsonObject {
  const lists = ["containers", "initContainers"].flatMap((name) => {
    const list = spec[name];
    if (!Array.isArray(list)) return [];
    return [[name, (list as readonly JsonObject[]).map((one) => without(one, "volumeMounts"))] as const];
  });
  return { ...without(spec, "volumes"), ...Object.fromEntries(lists) };
}

function without(object: JsonObject, list: string): JsonObject {
  const items = object[list];
  if (!Array.isArray(items)) return object;
  const kept = (items as readonly JsonObject[]).filter((one) => {
    const { name } = one;
    return typeof name !== "string" || !name.startsWith(TOKEN_VOLUME);
  });
  const { [list]: _, ...rest } = object;
  return kept.length === 0 ? rest : { ...rest, [list]: kept };
}
