/** Defaults of Pods and of the templates that Pods are made from. */
import { flagAt, mapObjects, objectAt, textAt, withMembers } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { bindToHost, defaultContainer, requestWhatIsLimited } from "./container.ts";
import { fillAbsent, fillEmpty } from "./fill.ts";
import { defaultVolume } from "./volume.ts";

/** Of a Pod or of a template. */
export function defaultPodSpec(spec: JsonObject): JsonObject {
  const account = textAt(spec, "serviceAccountName") || textAt(spec, "serviceAccount");
  const texts = fillEmpty(spec, {
    restartPolicy: "Always",
    dnsPolicy: "ClusterFirst",
    schedulerName: "default-scheduler",
  });
  const filled = fillAbsent(texts, { terminationGracePeriodSeconds: 30, securityContext: {} });
  return withMembers(filled, {
    // The old name and the new one always say the same; where they didn't, the new one holds.
    serviceAccountName: account === "" ? undefined : account,
    serviceAccount: account === "" ? undefined : account,
    containers: mapObjects(spec, "containers", defaultContainer),
    initContainers: mapObjects(spec, "initContainers", defaultContainer),
    ephemeralContainers: mapObjects(spec, "ephemeralContainers", defaultContainer),
    volumes: mapObjects(spec, "volumes", defaultVolume),
  });
}

/** `metadata` is always given back. */
export function defaultTemplate(template: JsonObject): JsonObject {
  return withMembers(template, {
    metadata: objectAt(template, "metadata") ?? {},
    spec: defaultPodSpec(objectAt(template, "spec") ?? {}),
  });
}

/** Beyond what a template gets. */
export function defaultPod(pod: JsonObject): JsonObject {
  const spec = fillAbsent(defaultPodSpec(objectAt(pod, "spec") ?? {}), { enableServiceLinks: true });
  const bound = flagAt(spec, "hostNetwork") ? eachContainer(spec, bindToHost) : spec;
  const requested = requestWhatIsLimited(eachContainer(bound, requestWhatIsLimited));
  return withMembers(pod, { spec: requested, status: objectAt(pod, "status") ?? {} });
}

function eachContainer(spec: JsonObject, change: (container: JsonObject) => JsonObject): JsonObject {
  return withMembers(spec, {
    containers: mapObjects(spec, "containers", change),
    initContainers: mapObjects(spec, "initContainers", change),
  });
}
