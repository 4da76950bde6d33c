/** Objects for tests: complete, so that nothing is wrong with them but what a test makes wrong. */
import { applyDefaults } from "../defaults/apply-defaults.ts";
import type { JsonObject, KubernetesObject } from "../objects/object.ts";

export const CONTAINER: JsonObject = { name: "c", image: "app:v1" };

export function makePod(spec: JsonObject = {}, metadata: JsonObject = {}): KubernetesObject {
  return complete({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "n", ...metadata },
    spec: { containers: [CONTAINER], serviceAccountName: "default", ...spec },
  });
}

/** Of a kind with a template below `spec`. */
export function makeWorkload(
  apiVersion: string,
  kind: string,
  spec: JsonObject = {},
  podSpec: JsonObject = {},
): KubernetesObject {
  const template = { metadata: { labels: { app: "t" } }, spec: { containers: [CONTAINER], ...podSpec } };
  const selector = kind === "ReplicationController" ? { app: "t" } : { matchLabels: { app: "t" } };
  return complete({
    apiVersion,
    kind,
    metadata: { name: "w", namespace: "n" },
    spec: { selector, template, ...(kind === "Job" && { manualSelector: true }), ...spec },
  });
}

export function complete(object: KubernetesObject): KubernetesObject {
  return applyDefaults(object);
}
