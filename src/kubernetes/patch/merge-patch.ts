/** JSON merge patch, RFC 7386. */
import { badRequest } from "../objects/status.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import { checkDepth, isObject, membersOf } from "./json.ts";

/**
 * Members of the patch replace those of the document, null removes, objects are merged, lists replaced.
 *
 * @throws StatusError (BadRequest) for a patch that is no object
 */
export function applyMergePatch(document: JsonObject, patch: Json): JsonObject {
  checkDepth(patch);
  if (!isObject(patch)) throw badRequest("Invalid JSON Patch");
  return merge(document, patch);
}

function merge(target: Json | undefined, patch: JsonObject): JsonObject {
  const members = new Map(isObject(target) ? membersOf(target) : []);
  for (const [name, value] of membersOf(patch)) {
    if (value === null) members.delete(name);
    else members.set(name, isObject(value) ? merge(members.get(name), value) : value);
  }
  return Object.fromEntries(members);
}
