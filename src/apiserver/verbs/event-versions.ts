/** Events are kept as `v1` has them; `events.k8s.io/v1` says the same in other words. */
import type { Json, JsonObject, KubernetesObject } from "../../kubernetes/index.ts";

const GROUP = "events.k8s.io/v1";

/** [in v1, in events.k8s.io/v1] of the members whose names differ. */
const NAMES: readonly (readonly [core: string, other: string])[] = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["source", "deprecatedSource"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
  ["reportingComponent", "reportingController"],
];

const TO_OTHER: ReadonlyMap<string, string> = new Map(NAMES);
const TO_CORE: ReadonlyMap<string, string> = new Map(NAMES.map(([core, other]) => [other, core]));

export function toEventsGroup(event: KubernetesObject): KubernetesObject {
  return { ...rename(event, TO_OTHER), apiVersion: GROUP } as KubernetesObject;
}

export function toCoreEvent(event: KubernetesObject): KubernetesObject {
  return { ...rename(event, TO_CORE), apiVersion: "v1" } as KubernetesObject;
}

export function isEventsGroup(resource: { readonly group: string }): boolean {
  return resource.group === "events.k8s.io";
}

function rename(object: JsonObject, names: ReadonlyMap<string, string>): JsonObject {
  const renamed: Record<string, Json | undefined> = {};
  for (const [name, value] of Object.entries(object)) renamed[names.get(name) ?? name] = value;
  return renamed;
}
