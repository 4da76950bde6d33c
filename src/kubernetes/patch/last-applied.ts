/** The annotation in which client-side apply keeps what it applied last. */
import { encodeJson, type GoJson } from "../../internal/go/json-encode.ts";
import type { Json, JsonObject, KubernetesObject } from "../objects/object.ts";
import { compareObjects } from "./compare-objects.ts";
import { difference, type FieldSet, NO_FIELDS, union } from "./field-set.ts";
import { extentOf, isList, isObject, memberOf, membersOf, withMember, withoutMember } from "./json.ts";
import { fieldsOf, typeFaults } from "./object-fields.ts";
import type { Place } from "./place.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
/** Of all annotations of an object together, in bytes. */
const MAX_ANNOTATIONS = 256 * 1024;
const MAX_DEPTH = 1000;

/** Fields that client-side apply set last, and that still have those values. */
export function fieldsMatching(live: KubernetesObject, place: Place): FieldSet {
  const applied = parse(memberOf(annotationsOf(live), LAST_APPLIED));
  if (applied === undefined || memberOf(applied, "apiVersion") !== live.apiVersion) return NO_FIELDS;
  if (typeFaults(applied, place).length > 0) return NO_FIELDS;
  const { added, modified, removed } = compareObjects(applied, live, place);
  return difference(fieldsOf(applied, place), union(union(modified, added), removed));
}

/** Says there what was applied now, if the annotation is there at all. */
export function refreshLastApplied(object: KubernetesObject, applied: KubernetesObject): KubernetesObject {
  const annotations = annotationsOf(object);
  const old = memberOf(annotations, LAST_APPLIED);
  if (old === undefined || old === "") return object;
  const refreshed = withMember(
    annotations,
    LAST_APPLIED,
    `${encodeJson(sorted(withoutLastApplied(applied)))}\n`,
  );
  let size = 0;
  for (const [name, value] of membersOf(refreshed)) {
    size += Buffer.byteLength(name) + (typeof value === "string" ? Buffer.byteLength(value) : 0);
  }
  const kept = size > MAX_ANNOTATIONS ? withoutMember(annotations, LAST_APPLIED) : refreshed;
  const metadata = withMember(object.metadata, "annotations", kept);
  return withMember(object, "metadata", metadata) as KubernetesObject;
}

function withoutLastApplied(object: KubernetesObject): JsonObject {
  const annotations = memberOf(isObject(object.metadata) ? object.metadata : {}, "annotations");
  if (!isObject(annotations)) return object;
  const left = withoutMember(annotations, LAST_APPLIED);
  return withMember(object, "metadata", withMember(object.metadata, "annotations", left));
}

function annotationsOf(object: KubernetesObject): JsonObject {
  const annotations = isObject(object.metadata) ? memberOf(object.metadata, "annotations") : undefined;
  return isObject(annotations) ? annotations : {};
}

function parse(text: Json | undefined): JsonObject | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) && extentOf(value).depth <= MAX_DEPTH ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Go writes the members of its maps by their names. */
function sorted(value: Json): GoJson {
  if (isList(value)) return value.map((item) => sorted(item));
  if (!isObject(value)) return value;
  return new Map(membersOf(value).map(([name, member]) => [name, sorted(member)]));
}
