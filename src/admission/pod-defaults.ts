/** What every new Pod of a cluster gets beside its images: how long it stays on a node that is gone, and its rank. */
import type { JsonObject, KubernetesObject } from "../kubernetes/index.ts";
import type { AdmissionDecision, AdmissionPlugin, AdmissionRequest } from "./admission.ts";
import { forbiddenError, grant, grantWith, refuse } from "./decide.ts";
import { isObject, objectsOf, textOf } from "./json.ts";
import { isPodResource } from "./pod-spec.ts";

const TOLERATION_SECONDS = 300;
const NOT_READY = "node.kubernetes.io/not-ready";
const UNREACHABLE = "node.kubernetes.io/unreachable";

/** `DefaultTolerationSeconds`: Pods stay for five minutes on a node that isn't ready or can't be reached. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",

  admit(request): AdmissionDecision {
    const { operation, object } = request;
    const spec = podSpec(request);
    if ((operation !== "CREATE" && operation !== "UPDATE") || object === undefined || spec === undefined) {
      return grant(request);
    }
    const own = objectsOf(spec["tolerations"]);
    const added = [NOT_READY, UNREACHABLE].filter((key) => !own.some((one) => tolerates(one, key)));
    if (added.length === 0) return grant(request);
    const tolerations = [
      ...own,
      ...added.map((key) => ({
        key,
        operator: "Exists",
        effect: "NoExecute",
        tolerationSeconds: TOLERATION_SECONDS,
      })),
    ];
    return grantWith({ ...object, spec: { ...spec, tolerations } });
  },
};

function tolerates(toleration: JsonObject, key: string): boolean {
  const effect = textOf(toleration["effect"]);
  const own = textOf(toleration["key"]);
  return (own === key || own === "") && (effect === "NoExecute" || effect === "");
}

/** The classes every cluster has. */
const PRIORITY_CLASSES: ReadonlyMap<string, number> = new Map([
  ["system-cluster-critical", 2_000_000_000],
  ["system-node-critical", 2_000_001_000],
]);

/**
 * `Priority`: a new Pod's number and preemption, from its class; classes of a cluster's own aren't known here. An
 * update that leaves them out, as whoever replaces a Pod by its file does, keeps them.
 */
export const priority: AdmissionPlugin = {
  name: "Priority",

  admit(request): AdmissionDecision {
    const { operation, object } = request;
    const spec = podSpec(request);
    if (object === undefined || spec === undefined) return grant(request);
    if (operation === "UPDATE") return keepPriority(request, object, spec);
    if (operation !== "CREATE") return grant(request);
    const className = textOf(spec["priorityClassName"]);
    const value = className === "" ? 0 : PRIORITY_CLASSES.get(className);
    if (value === undefined) {
      return refuse(forbiddenError(request, `no PriorityClass with name ${className} was found`));
    }
    if (spec["priority"] !== undefined && spec["priority"] !== value) {
      const why = `the integer value of priority (${JSON.stringify(spec["priority"])}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`;
      return refuse(forbiddenError(request, why));
    }
    const preemptionPolicy = spec["preemptionPolicy"] ?? "PreemptLowerPriority";
    if (preemptionPolicy !== "PreemptLowerPriority") {
      const why = `the string value of PreemptionPolicy (${textOf(preemptionPolicy)}) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name`;
      return refuse(forbiddenError(request, why));
    }
    return grantWith({ ...object, spec: { ...spec, priority: value, preemptionPolicy } });
  },
};

function keepPriority(
  request: AdmissionRequest,
  object: KubernetesObject,
  spec: JsonObject,
): AdmissionDecision {
  const old = request.oldObject?.["spec"];
  if (!isObject(old)) return grant(request);
  const kept = Object.fromEntries(
    ["priority", "preemptionPolicy"]
      .filter((name) => spec[name] === undefined && old[name] !== undefined)
      .map((name) => [name, old[name]]),
  );
  return Object.keys(kept).length === 0
    ? grant(request)
    : grantWith({ ...object, spec: { ...spec, ...kept } });
}

function podSpec({ resource, subresource, object }: AdmissionRequest): JsonObject | undefined {
  if (!isPodResource(resource) || subresource !== "" || object === undefined) return undefined;
  const spec = object["spec"];
  return isObject(spec) ? spec : undefined;
}
