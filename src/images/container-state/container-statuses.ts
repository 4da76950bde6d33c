/**
 * Container statuses as the API shows them: what the runtime knows, and for a container that would be started again,
 * why the last start failed.
 */
import type { StartError } from "./start-errors.ts";

export interface WaitingState {
  readonly waiting: { readonly reason?: string | undefined; readonly message?: string | undefined };
}
export interface RunningState {
  readonly running: { readonly startedAt?: string | undefined };
}
export interface TerminatedState {
  readonly terminated: {
    readonly exitCode: number;
    readonly reason?: string | undefined;
    readonly message?: string | undefined;
    readonly startedAt?: string | undefined;
    readonly finishedAt?: string | undefined;
    readonly containerID?: string | undefined;
  };
}
export type ApiContainerState = WaitingState | RunningState | TerminatedState;

export interface ApiContainerStatus {
  readonly name: string;
  readonly state: ApiContainerState;
  /** Whatever the container before this one was; usually terminated. */
  readonly lastTerminationState: ApiContainerState | Record<string, never>;
}

/** One container the runtime knows; the newest of a name comes first. */
export interface RuntimeContainer {
  readonly name: string;
  readonly state: "Created" | "Running" | "Exited" | "Unknown";
  readonly exitCode?: number | undefined;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly startedAt?: string | undefined;
  readonly finishedAt?: string | undefined;
  /** `containerd://0123…`; Kubernetes prints the two parts even where they are empty. */
  readonly containerId?: string | undefined;
}

/** What the API said before. */
export interface PreviousStatus {
  readonly name: string;
  readonly state?: Partial<RunningState & TerminatedState & WaitingState> | undefined;
  readonly lastTerminationState?: ApiContainerStatus["lastTerminationState"] | undefined;
}

export type RestartPolicy = "Always" | "OnFailure" | "Never";

export interface StatusFacts {
  readonly containers: readonly string[];
  readonly history: readonly RuntimeContainer[];
  readonly previous: readonly PreviousStatus[];
  readonly restartPolicy: RestartPolicy;
  /** Whether these are the Pod's init containers. */
  readonly init: boolean;
  /** Whether the Pod has init containers. */
  readonly hasInit: boolean;
  readonly startError: (container: string) => StartError | undefined;
}

/** The statuses of one list of containers: init containers in its order, all others by name. */
export function containerStatuses(facts: StatusFacts): readonly ApiContainerStatus[] {
  const statuses = facts.containers.map((name) => statusOf(name, facts));
  return facts.init ? statuses : statuses.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function statusOf(name: string, facts: StatusFacts): ApiContainerStatus {
  const history = facts.history.filter((container) => container.name === name);
  const previous = facts.previous.find((status) => status.name === name);
  const reported = fromHistory(name, history, previous) ?? withoutHistory(name, facts, previous);
  const error = wouldStart(history, facts) ? facts.startError(name) : undefined;
  if (error === undefined) return reported;
  const { reason, message } = error;
  const { state } = reported;
  return {
    name,
    state: { waiting: message === "" ? { reason } : { reason, message } },
    lastTerminationState: "terminated" in state ? state : reported.lastTerminationState,
  };
}

/** A container the runtime doesn't know: it never was, or it is forgotten. */
function withoutHistory(
  name: string,
  { hasInit }: StatusFacts,
  previous: PreviousStatus | undefined,
): ApiContainerStatus {
  const { terminated, running } = previous?.state ?? {};
  const lastTerminationState = previous?.lastTerminationState ?? {};
  if (terminated !== undefined) return { name, state: { terminated }, lastTerminationState };
  const state = { waiting: { reason: hasInit ? "PodInitializing" : "ContainerCreating" } };
  if (running === undefined || "terminated" in lastTerminationState)
    return { name, state, lastTerminationState };
  const message =
    "The container could not be located when the pod was deleted.  The container used to be Running";
  return { name, state, lastTerminationState: { terminated: { ...LOST, message } } };
}

/** The newest container is the state, the one before it the last one. */
function fromHistory(
  name: string,
  [newest, before]: readonly RuntimeContainer[],
  previous: PreviousStatus | undefined,
): ApiContainerStatus | undefined {
  if (newest === undefined) return undefined;
  const lastTerminationState = before === undefined ? {} : stateOf(before, previous);
  return { name, state: stateOf(newest, previous), lastTerminationState };
}

/** A container that ran and whose end nobody saw. */
const LOST = { exitCode: 137, reason: "ContainerStatusUnknown" } as const;

function stateOf(container: RuntimeContainer, previous: PreviousStatus | undefined): ApiContainerState {
  const { startedAt, finishedAt, reason, message, exitCode = 0, containerId = "://" } = container;
  switch (container.state) {
    case "Created":
      return { waiting: {} };
    case "Running":
      return { running: startedAt === undefined ? {} : { startedAt } };
    case "Exited": {
      const told = { reason, message, startedAt, finishedAt };
      const known = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
      return { terminated: { exitCode, ...known, containerID: containerId } };
    }
    case "Unknown": {
      // Only of one that was seen running can be said that it is over; any other is taken for not begun.
      if (previous?.state?.running === undefined) return { waiting: {} };
      const lost = "The container could not be located when the pod was terminated";
      return { terminated: { ...LOST, message: lost } };
    }
  }
}

/** Whether the kubelet would start this container now, were nothing in its way. */
function wouldStart([newest]: readonly RuntimeContainer[], { restartPolicy, init }: StatusFacts): boolean {
  if (newest === undefined) return true;
  if (newest.state === "Running") return false;
  if (newest.state === "Unknown" || newest.state === "Created") return true;
  if (newest.exitCode === 0 && init) return false;
  if (restartPolicy === "Never") return false;
  return restartPolicy === "Always" || newest.exitCode !== 0;
}
