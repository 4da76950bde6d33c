import { type JsonObject, type LabelSelector, readLabelSelector } from "../../kubernetes/index.ts";
import { isObject } from "./objects.ts";

/** A workload's `spec.selector`. What selects nothing in particular selects nothing: it would take all Pods there are. */
export function readSelector(selector: JsonObject): LabelSelector {
  const read = readLabelSelector(selector);
  return read.requirements.length === 0 ? { ...read, nothing: true } : read;
}

/** The selector of a ReplicationController: labels and nothing else. */
export function asSelector(labels: unknown): JsonObject {
  return isObject(labels) ? { matchLabels: labels } : {};
}
