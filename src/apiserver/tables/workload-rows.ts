/** The rows of everything that makes Pods from a template. */
import type { Json, JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { age, humanDuration } from "./human-duration.ts";
import { number, NONE, object, objects, orNone, text, texts } from "./read.ts";

type Row = (it: KubernetesObject, now: number) => readonly Json[];

export const deploymentCells: Row = (it, now) => {
  const { spec, status } = parts(it);
  return [
    name(it),
    `${number(status["readyReplicas"])}/${number(spec["replicas"])}`,
    number(status["updatedReplicas"]),
    number(status["availableReplicas"]),
    ageOf(it, now),
    ...containers(spec["template"]),
    selector(spec["selector"]),
  ];
};

export const scaleCells: Row = (it, now) => {
  const { spec, status } = parts(it);
  return [name(it), number(spec["replicas"]), number(status["replicas"]), ageOf(it, now)];
};

export const replicaSetCells: Row = (it, now) => {
  const { spec, status } = parts(it);
  return [...replicas(it, spec, status, now), ...containers(spec["template"]), selector(spec["selector"])];
};

export const replicationControllerCells: Row = (it, now) => {
  const { spec, status } = parts(it);
  return [...replicas(it, spec, status, now), ...containers(spec["template"]), labels(spec["selector"])];
};

export const statefulSetCells: Row = (it, now) => {
  const { spec, status } = parts(it);
  const ready = `${number(status["readyReplicas"])}/${number(spec["replicas"])}`;
  return [name(it), ready, ageOf(it, now), ...containers(spec["template"])];
};

export const daemonSetCells: Row = (it, now) => {
  const { spec, status } = parts(it);
  return [
    name(it),
    number(status["desiredNumberScheduled"]),
    number(status["currentNumberScheduled"]),
    number(status["numberReady"]),
    number(status["updatedNumberScheduled"]),
    number(status["numberAvailable"]),
    labels(object(object(spec["template"])["spec"])["nodeSelector"]),
    ageOf(it, now),
    ...containers(spec["template"]),
    selector(spec["selector"]),
  ];
};

export const jobCells: Row = (it, now) => {
  const { spec, status } = parts(it);
  return [
    name(it),
    jobStatus(it, status),
    completions(spec, status),
    jobDuration(status, now),
    ageOf(it, now),
    ...containers(spec["template"]),
    selector(spec["selector"]),
  ];
};

export const cronJobCells: Row = (it, now) => {
  const { spec, status } = parts(it);
  const jobSpec = object(object(spec["jobTemplate"])["spec"]);
  const lastSchedule = text(status["lastScheduleTime"]);
  return [
    name(it),
    text(spec["schedule"]),
    orNone(text(spec["timeZone"])),
    spec["suspend"] === true ? "True" : "False",
    objects(status["active"]).length,
    lastSchedule === "" ? NONE : age(lastSchedule, now),
    ageOf(it, now),
    ...containers(jobSpec["template"]),
    selector(jobSpec["selector"]),
  ];
};

export const revisionCells: Row = (it, now) => {
  const owner = it.metadata.ownerReferences?.find(({ controller }) => controller === true);
  const group = owner?.apiVersion.includes("/") === true ? `.${owner.apiVersion.split("/", 1)[0]}` : "";
  const controller = owner === undefined ? NONE : `${owner.kind.toLowerCase()}${group}/${owner.name}`;
  return [name(it), controller, number(it["revision"]), ageOf(it, now)];
};

export const podTemplateCells: Row = (it) => {
  const template = object(it["template"]);
  return [name(it), ...containers(template), labels(object(template["metadata"])["labels"])];
};

function parts(it: KubernetesObject): { readonly spec: JsonObject; readonly status: JsonObject } {
  return { spec: object(it["spec"]), status: object(it["status"]) };
}

function name(it: KubernetesObject): string {
  return it.metadata.name ?? "";
}

function ageOf(it: KubernetesObject, now: number): string {
  return age(it.metadata.creationTimestamp ?? "", now);
}

function replicas(it: KubernetesObject, spec: JsonObject, status: JsonObject, now: number): readonly Json[] {
  const current = [status["replicas"], status["readyReplicas"]].map((one) => number(one));
  return [name(it), number(spec["replicas"]), ...current, ageOf(it, now)];
}

/** Names and images of a template's containers, each joined by commas. */
function containers(template: Json | undefined): readonly [names: string, images: string] {
  const all = objects(object(object(template)["spec"])["containers"]);
  const list = (member: string): string => all.map((one) => text(one[member])).join(",");
  return [list("name"), list("image")];
}

/** Labels as `a=b,c=d`, by name. */
function labels(value: Json | undefined): string {
  const entries = Object.entries(object(value)).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return orNone(entries.map(([key, label]) => `${key}=${text(label)}`).join(","));
}

function selector(value: Json | undefined): string {
  const { matchLabels, matchExpressions } = object(value);
  const equal = Object.entries(object(matchLabels)).map(
    ([key, label]) => [key, `${key}=${text(label)}`] as const,
  );
  const expressions = objects(matchExpressions).map(
    (one) => [text(one["key"]), formatRequirement(one)] as const,
  );
  const sorted = [...equal, ...expressions].toSorted(([one], [other]) =>
    one < other ? -1 : Number(one > other),
  );
  return orNone(sorted.map(([, requirement]) => requirement).join(","));
}

function formatRequirement(requirement: JsonObject): string {
  const key = text(requirement["key"]);
  const values = texts(requirement["values"]).toSorted().join(",");
  switch (text(requirement["operator"])) {
    case "In":
      return `${key} in (${values})`;
    case "NotIn":
      return `${key} notin (${values})`;
    case "DoesNotExist":
      return `!${key}`;
    default:
      return key;
  }
}

function jobStatus(it: KubernetesObject, status: JsonObject): string {
  const holds = (type: string): boolean =>
    objects(status["conditions"]).some((one) => one["type"] === type && one["status"] === "True");
  if (holds("Complete")) return "Complete";
  if (holds("Failed")) return "Failed";
  if (it.metadata.deletionTimestamp !== undefined) return "Terminating";
  return ["Suspended", "FailureTarget", "SuccessCriteriaMet"].find(holds) ?? "Running";
}

function completions(spec: JsonObject, status: JsonObject): string {
  const done = number(status["succeeded"]);
  if (typeof spec["completions"] === "number") return `${done}/${spec["completions"]}`;
  const parallelism = number(spec["parallelism"]);
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
}

function jobDuration(status: JsonObject, now: number): string {
  const start = Date.parse(text(status["startTime"]));
  if (Number.isNaN(start)) return "";
  const end = Date.parse(text(status["completionTime"]));
  return humanDuration((Number.isNaN(end) ? now : end) - start);
}
