/** Defaults of Pods and of the templates that Pods are made from. */
import {
  flagAt,
  isAbsent,
  isSet,
  mapObject,
  mapObjects,
  objectAt,
  textAt,
  withMembers,
} from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { bindToHost, defaultContainer, defaultResources, requestWhatIsLimited } from "./container.ts";
import { canonicalAmounts, dropEmpty, fillAbsent, fillEmpty } from "./fill.ts";
import { defaultVolume } from "./volume.ts";

/** What the API leaves out of a Pod's specification where it's empty. */
const OMITTED = [
  "volumes",
  "initContainers",
  "ephemeralContainers",
  "nodeSelector",
  "nodeName",
  "imagePullSecrets",
  "hostname",
  "subdomain",
  "tolerations",
  "hostAliases",
  "priorityClassName",
  "readinessGates",
  "overhead",
  "topologySpreadConstraints",
  "schedulingGates",
  "resourceClaims",
];

/** Left out where they are false; the others that can be false mean something then. */
const FLAGS = ["hostNetwork", "hostPID", "hostIPC"];

/** Of a Pod or of a template. */
export function defaultPodSpec(spec: JsonObject): JsonObject {
  const account = textAt(spec, "serviceAccountName") || textAt(spec, "serviceAccount");
  const texts = fillEmpty(spec, {
    restartPolicy: "Always",
    dnsPolicy: "ClusterFirst",
    schedulerName: "default-scheduler",
  });
  const filled = fillAbsent(texts, { terminationGracePeriodSeconds: 30, securityContext: {} });
  const nested = withMembers(filled, {
    // The old name and the new one always say the same; where they didn't, the new one holds.
    serviceAccountName: account === "" ? undefined : account,
    serviceAccount: account === "" ? undefined : account,
    containers: mapObjects(spec, "containers", defaultContainer),
    initContainers: mapObjects(spec, "initContainers", defaultContainer),
    ephemeralContainers: mapObjects(spec, "ephemeralContainers", defaultContainer),
    volumes: mapObjects(spec, "volumes", defaultVolume),
    imagePullSecrets: mapObjects(spec, "imagePullSecrets", (secret) => dropEmpty(secret, ["name"])),
    overhead: canonicalAmounts(spec, "overhead"),
    resources: mapObject(spec, "resources", defaultResources),
    ...Object.fromEntries(FLAGS.map((name) => [name, flagAt(spec, name) ? true : undefined])),
  });
  return dropEmpty(nested, OMITTED);
}

/** `metadata` is always given back, and empty labels never. */
export function defaultTemplate(template: JsonObject): JsonObject {
  return withMembers(template, {
    metadata: dropEmpty(objectAt(template, "metadata") ?? {}, ["labels", "annotations", "finalizers"]),
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

/** How long a Pod stays on a node that is gone or not ready, in seconds. */
const PATIENCE = 300;

const CLASSES: Readonly<Record<string, number>> = {
  "system-node-critical": 2_000_001_000,
  "system-cluster-critical": 2_000_000_000,
};

/**
 * What the API server's plugins that are on by default add to a Pod on its way in: how long it tolerates a node that
 * doesn't answer, and its priority. A priority class that isn't known leaves the Pod without one.
 */
export function applyPodPlugins<T extends JsonObject>(pod: T): T {
  const spec = objectAt(pod, "spec") ?? {};
  return withMembers(pod, { spec: withPriority(withTolerations(spec)) });
}

function withTolerations(spec: JsonObject): JsonObject {
  const given = Array.isArray(spec["tolerations"]) ? (spec["tolerations"] as readonly JsonObject[]) : [];
  const added = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
    .filter((key) => !given.some((toleration) => covers(toleration, key)))
    .map((key) => ({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: PATIENCE }));
  return added.length === 0 ? spec : withMembers(spec, { tolerations: [...given, ...added] });
}

function covers(toleration: JsonObject, key: string): boolean {
  const effect = textAt(toleration, "effect");
  return [key, ""].includes(textAt(toleration, "key")) && ["NoExecute", ""].includes(effect);
}

function withPriority(spec: JsonObject): JsonObject {
  const name = textAt(spec, "priorityClassName");
  const priority = name === "" ? 0 : CLASSES[name];
  if (priority === undefined) return spec;
  return withMembers(spec, {
    priority: isAbsent(spec["priority"]) ? priority : spec["priority"],
    preemptionPolicy: isSet(spec["preemptionPolicy"]) ? spec["preemptionPolicy"] : "PreemptLowerPriority",
  });
}
