/** The rows of everything that isn't made of Pods. */
import type { Json, JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { age } from "./human-duration.ts";
import { number, NONE, object, objects, orNone, text } from "./read.ts";

type Row = (it: KubernetesObject, now: number) => readonly Json[];

export const secretCells: Row = (it, now) => [
  name(it),
  text(it["type"]),
  Object.keys(object(it["data"])).length,
  ageOf(it, now),
];

export const serviceAccountCells: Row = (it, now) => [
  name(it),
  objects(it["secrets"]).length,
  ageOf(it, now),
];

export const configMapCells: Row = (it, now) => {
  const entries = Object.keys(object(it["data"])).length + Object.keys(object(it["binaryData"])).length;
  return [name(it), entries, ageOf(it, now)];
};

export const namespaceCells: Row = (it, now) => [
  name(it),
  text(object(it["status"])["phase"]),
  ageOf(it, now),
];

export const leaseCells: Row = (it, now) => [
  name(it),
  text(object(it["spec"])["holderIdentity"]),
  ageOf(it, now),
];

export const nodeCells: Row = (it, now) => {
  const status = object(it["status"]);
  const info = object(status["nodeInfo"]);
  const architecture = text(info["architecture"]);
  const kernel = orUnknown(text(info["kernelVersion"]));
  return [
    name(it),
    nodeStatus(it, status),
    nodeRoles(it),
    ageOf(it, now),
    text(info["kubeletVersion"]),
    address(status, "InternalIP"),
    address(status, "ExternalIP"),
    orUnknown(text(info["osImage"])),
    architecture === "" ? kernel : `${kernel} (${architecture})`,
    orUnknown(text(info["containerRuntimeVersion"])),
  ];
};

/** Both kinds of event: the older one's counts and times, the newer one's series. */
export const eventCells: Row = (it, now) => {
  const about = object(it["involvedObject"] ?? it["regarding"]);
  const { first, last, count } = occurrences(it, now);
  return [
    last,
    text(it["type"]),
    text(it["reason"]),
    `${text(about["kind"]).toLowerCase()}/${text(about["name"])}`,
    text(about["fieldPath"]),
    source(it),
    (text(it["message"]) || text(it["note"])).trim(),
    first,
    count,
    name(it),
  ];
};

function occurrences(
  it: KubernetesObject,
  now: number,
): { readonly first: string; readonly last: string; readonly count: number } {
  const begun = text(it["firstTimestamp"]) || text(it["deprecatedFirstTimestamp"]) || text(it["eventTime"]);
  const ended = text(it["lastTimestamp"]) || text(it["deprecatedLastTimestamp"]);
  const first = age(begun, now);
  const series = object(it["series"]);
  if (Object.keys(series).length > 0) {
    return { first, last: age(text(series["lastObservedTime"]), now), count: number(series["count"]) };
  }
  const count = number(it["count"]) || number(it["deprecatedCount"]);
  return { first, last: ended === "" ? first : age(ended, now), count: count === 0 ? 1 : count };
}

function source(it: JsonObject): string {
  const from = object(it["source"] ?? it["deprecatedSource"]);
  const component =
    text(from["component"]) || text(it["reportingComponent"]) || text(it["reportingController"]);
  const host = text(from["host"]) || text(it["reportingInstance"]);
  return host === "" ? component : `${component}, ${host}`;
}

function nodeStatus(it: KubernetesObject, status: JsonObject): string {
  const ready = objects(status["conditions"]).find((one) => one["type"] === "Ready");
  const word = ready === undefined ? "Unknown" : ready["status"] === "True" ? "Ready" : "NotReady";
  return object(it["spec"])["unschedulable"] === true ? `${word},SchedulingDisabled` : word;
}

const ROLE = "node-role.kubernetes.io/";

function nodeRoles(it: KubernetesObject): string {
  const roles = new Set<string>();
  for (const [label, value] of Object.entries(it.metadata.labels ?? {})) {
    if (label.startsWith(ROLE) && label.length > ROLE.length) roles.add(label.slice(ROLE.length));
    else if (label === "kubernetes.io/role" && value !== "") roles.add(value);
  }
  return orNone([...roles].toSorted().join(","));
}

function address(status: JsonObject, type: string): string {
  const found = objects(status["addresses"]).find((one) => one["type"] === type);
  return found === undefined ? NONE : text(found["address"]);
}

function orUnknown(value: string): string {
  return value === "" ? "<unknown>" : value;
}

function name(it: KubernetesObject): string {
  return it.metadata.name ?? "";
}

function ageOf(it: KubernetesObject, now: number): string {
  return age(it.metadata.creationTimestamp ?? "", now);
}
