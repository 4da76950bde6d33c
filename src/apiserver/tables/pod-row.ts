/** One Pod in one line: the row in which a failing image shows first. */
import type { Json, JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { age } from "./human-duration.ts";
import { isObject, number, object, objects, orNone, NONE, text } from "./read.ts";

/** The columns' values, in the order of `POD_COLUMNS`. */
export function podCells(pod: KubernetesObject, now: number): readonly Json[] {
  const spec = object(pod["spec"]);
  const status = object(pod["status"]);
  const summary = summarize(pod);
  const restarts =
    summary.restarts !== 0 && summary.lastRestart !== ""
      ? `${summary.restarts} (${age(summary.lastRestart, now)} ago)`
      : `${summary.restarts}`;
  return [
    pod.metadata.name ?? "",
    `${summary.ready}/${summary.total}`,
    summary.status,
    restarts,
    age(pod.metadata.creationTimestamp ?? "", now),
    orNone(text(objects(status["podIPs"])[0]?.["ip"]) || text(status["podIP"])),
    orNone(text(spec["nodeName"])),
    orNone(text(status["nominatedNodeName"])),
    readinessGates(spec, status),
  ];
}

interface Summary {
  readonly status: string;
  readonly ready: number;
  readonly total: number;
  readonly restarts: number;
  /** RFC 3339, or empty where nothing has ended yet. */
  readonly lastRestart: string;
}

/** The word under STATUS and the counts beside it. */
function summarize(pod: KubernetesObject): Summary {
  const spec = object(pod["spec"]);
  const status = object(pod["status"]);
  const initial = initialStatus(status);
  const init = readInitContainers(spec, status);
  const total = objects(spec["containers"]).length + init.sidecars;
  if (init.status !== undefined && conditionOf(status, "Initialized") !== "True") {
    const { restarts, lastRestart } = init.all;
    return { status: ending(pod, init.status), ready: init.ready, total, restarts, lastRestart };
  }
  const main = readContainers(status, init.status ?? initial, init.sidecarRestarts);
  const { restarts, lastRestart } = main.restarts;
  return { status: ending(pod, main.status), ready: init.ready + main.ready, total, restarts, lastRestart };
}

function initialStatus(status: JsonObject): string {
  const gated = objects(status["conditions"]).some(
    (one) => one["type"] === "PodScheduled" && one["reason"] === "SchedulingGated",
  );
  return gated ? "SchedulingGated" : text(status["reason"]) || text(status["phase"]);
}

/** What deleting makes of a status. */
function ending(pod: KubernetesObject, status: string): string {
  if (pod.metadata.deletionTimestamp === undefined) return status;
  const { reason, phase } = object(pod["status"]);
  if (reason === "NodeLost") return "Unknown";
  return phase === "Succeeded" || phase === "Failed" ? status : "Terminating";
}

class Restarts {
  restarts = 0;
  lastRestart = "";

  add(container: JsonObject): void {
    this.restarts += number(container["restartCount"]);
    const finished = text(object(object(container["lastState"])["terminated"])["finishedAt"]);
    if (finished > this.lastRestart) this.lastRestart = finished;
  }
}

interface InitContainers {
  /** Absent where nothing keeps the Pod from its main containers. */
  readonly status?: string;
  readonly ready: number;
  readonly sidecars: number;
  readonly all: Restarts;
  readonly sidecarRestarts: Restarts;
}

function readInitContainers(spec: JsonObject, status: JsonObject): InitContainers {
  const declared = objects(spec["initContainers"]);
  const sidecars = new Set(
    declared.filter((one) => one["restartPolicy"] === "Always").map((one) => text(one["name"])),
  );
  const all = new Restarts();
  const sidecarRestarts = new Restarts();
  let ready = 0;
  for (const [index, container] of objects(status["initContainerStatuses"]).entries()) {
    all.add(container);
    const isSidecar = sidecars.has(text(container["name"]));
    if (isSidecar) sidecarRestarts.add(container);
    const { terminated, waiting } = object(container["state"]);
    if (isObject(terminated) && number(object(terminated)["exitCode"]) === 0) continue;
    if (isSidecar && container["started"] === true) {
      if (container["ready"] === true) ready += 1;
      continue;
    }
    const state = initState(object(terminated), object(waiting), isObject(terminated));
    const progress = `Init:${state ?? `${index}/${declared.length}`}`;
    return { status: progress, ready, sidecars: sidecars.size, all, sidecarRestarts };
  }
  return { ready, sidecars: sidecars.size, all, sidecarRestarts };
}

function initState(terminated: JsonObject, waiting: JsonObject, hasEnded: boolean): string | undefined {
  if (hasEnded) return endOf(terminated);
  const reason = text(waiting["reason"]);
  return reason === "" || reason === "PodInitializing" ? undefined : reason;
}

function endOf(terminated: JsonObject): string {
  const signal = number(terminated["signal"]);
  const end = signal === 0 ? `ExitCode:${number(terminated["exitCode"])}` : `Signal:${signal}`;
  return text(terminated["reason"]) || end;
}

function readContainers(
  status: JsonObject,
  initial: string,
  restarts: Restarts,
): { readonly status: string; readonly ready: number; readonly restarts: Restarts } {
  let word = initial;
  let ready = 0;
  // From the last to the first: what the first container has to say is what is shown.
  for (const container of objects(status["containerStatuses"]).toReversed()) {
    restarts.add(container);
    const { waiting, terminated, running } = object(container["state"]);
    const waitingFor = text(object(waiting)["reason"]);
    if (waitingFor !== "") word = waitingFor;
    else if (isObject(terminated)) word = endOf(object(terminated));
    else if (container["ready"] === true && isObject(running)) ready += 1;
  }
  if (word === "Completed" && ready > 0) {
    word = conditionOf(status, "Ready") === "True" ? "Running" : "NotReady";
  }
  return { status: word, ready, restarts };
}

function conditionOf(status: JsonObject, type: string): string {
  return text(objects(status["conditions"]).find((one) => one["type"] === type)?.["status"]);
}

function readinessGates(spec: JsonObject, status: JsonObject): string {
  const gates = objects(spec["readinessGates"]);
  if (gates.length === 0) return NONE;
  const open = gates.filter((gate) => conditionOf(status, text(gate["conditionType"])) === "True");
  return `${open.length}/${gates.length}`;
}
