import type { Container, RestartPolicy } from "../../kubernetes/index.ts";
import type { ContainerStatus, PodPhase } from "./pod-status.ts";

export interface PhaseFacts {
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly restartPolicy: RestartPolicy;
  /** Of init containers and containers, by name. */
  readonly statuses: ReadonlyMap<string, ContainerStatus>;
}

/** An init container that runs beside the others. */
export function isSidecar({ restartPolicy }: Container): boolean {
  return restartPolicy === "Always";
}

/** Where a Pod is in its life, from what its containers are doing. */
export function podPhase(facts: PhaseFacts): PodPhase {
  const { restartPolicy } = facts;
  const init = countInit(facts);
  if (init.failed > 0 && restartPolicy === "Never") return "Failed";
  const { waiting, running, stopped, succeeded, unknown } = countContainers(facts);
  if (init.pending > 0 || init.failed > 0 || waiting > 0) return "Pending";
  if (unknown > 0) return "Pending";
  if (running > 0) return "Running";
  if (stopped === 0) return "Pending";
  if (restartPolicy === "Always") return "Running";
  if (stopped === succeeded) return "Succeeded";
  return restartPolicy === "Never" ? "Failed" : "Running";
}

/** Those that must end before the others begin; and sidecars, as long as no other container has ever begun. */
function countInit({ initContainers, containers, statuses }: PhaseFacts): {
  readonly pending: number;
  readonly failed: number;
} {
  let pending = 0;
  let failed = 0;
  const initialized = containers.some(({ name }) => hasBegun(statuses.get(name)));
  for (const container of initContainers) {
    const { state = {}, lastState = {}, started = false } = statuses.get(container.name) ?? {};
    if (isSidecar(container)) {
      const begun = state.terminated !== undefined || lastState.terminated !== undefined;
      if (!initialized && !started && !begun) pending++;
      continue;
    }
    const ended = state.terminated ?? (state.waiting === undefined ? undefined : lastState.terminated);
    if (ended === undefined) pending++;
    else if (ended.exitCode !== 0) failed++;
  }
  return { pending, failed };
}

function countContainers({ initContainers, containers, statuses }: PhaseFacts): {
  readonly waiting: number;
  readonly running: number;
  readonly stopped: number;
  readonly succeeded: number;
  readonly unknown: number;
} {
  const counts = { waiting: 0, running: 0, stopped: 0, succeeded: 0, unknown: 0 };
  for (const container of [...initContainers.filter(isSidecar), ...containers]) {
    const status = statuses.get(container.name);
    if (status === undefined) {
      counts.unknown++;
      continue;
    }
    const { state, lastState } = status;
    const ended = state.terminated !== undefined || lastState.terminated !== undefined;
    if (state.running !== undefined) counts.running++;
    // A sidecar that ended doesn't count at all.
    else if (isSidecar(container) && initContainers.includes(container)) counts.waiting += ended ? 0 : 1;
    else if (!ended) counts.waiting++;
    else {
      counts.stopped++;
      if (state.terminated?.exitCode === 0) counts.succeeded++;
    }
  }
  return counts;
}

/** Whether a container ran at any time. */
export function hasBegun(status: ContainerStatus | undefined): boolean {
  if (status === undefined) return false;
  const { state, lastState } = status;
  return state.running !== undefined || state.terminated !== undefined || lastState.terminated !== undefined;
}
