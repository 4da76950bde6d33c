import { containerStatuses, type PreviousStatus, type StartError } from "../../images/index.ts";
import { type Container, type JsonObject, qosClassOf } from "../../kubernetes/index.ts";
import type { PodContainer } from "../container-runtime.ts";
import type { NodePod } from "../pod-source.ts";
import { podConditions } from "./pod-conditions.ts";
import { isSidecar, podPhase } from "./pod-phase.ts";
import type { ContainerStateStatus, ContainerStatus, PodStatus } from "./pod-status.ts";

export interface StatusInput {
  readonly pod: NodePod;
  /** What the runtime knows, the newest first. */
  readonly history: readonly PodContainer[];
  readonly sandbox: boolean;
  readonly startError: (container: string) => StartError | undefined;
  readonly previous: PodStatus | undefined;
  readonly hostIP: string | undefined;
  readonly podIPs?: readonly string[] | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What a node says of a Pod, from what it knows of its containers. */
export function makePodStatus(input: StatusInput): PodStatus {
  const { pod, previous, sandbox, hostIP, podIPs = [] } = input;
  const { generation } = pod;
  const [podIP] = podIPs;
  const { initContainers, containers, ephemeralContainers, restartPolicy = "Always" } = pod.pod.spec;
  const ofInit = initContainers.map((container) => statusOf(container, "init", input));
  const ofContainers = byName(containers.map((container) => statusOf(container, "container", input)));
  const ofEphemeral = byName(ephemeralContainers.map((one) => statusOf(one, "ephemeral", input)));
  const statuses = new Map([...ofInit, ...ofContainers].map((status) => [status.name, status]));
  const facts = { initContainers, containers, restartPolicy, statuses };
  const over = previous?.phase === "Succeeded" || previous?.phase === "Failed";
  const phase = over ? previous.phase : podPhase(facts);
  const now = formatTime(input.now);
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    phase,
    conditions: podConditions({
      ...facts,
      phase,
      sandbox,
      generation,
      previous: previous?.conditions ?? [],
      now,
    }),
    ...(hostIP !== undefined && { hostIP, hostIPs: [{ ip: hostIP }] }),
    ...(podIP !== undefined && { podIP, podIPs: podIPs.map((ip) => ({ ip })) }),
    startTime: previous?.startTime ?? now,
    ...(ofInit.length > 0 && { initContainerStatuses: ofInit }),
    containerStatuses: ofContainers,
    ...(ofEphemeral.length > 0 && { ephemeralContainerStatuses: ofEphemeral }),
    qosClass:
      pod.qosClass ?? qosClassOf({ initContainers: asking(initContainers), containers: asking(containers) }),
  };
}

/** RFC 3339 in whole seconds, as the API has its times. */
export function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, "Z");
}

function statusOf(
  container: Container,
  kind: "init" | "container" | "ephemeral",
  { pod, history, previous, startError }: StatusInput,
): ContainerStatus {
  const { name, image } = container;
  const { initContainers, restartPolicy = "Always" } = pod.pod.spec;
  const sidecar = kind === "init" && isSidecar(container);
  const before = previousOf(previous, kind, name);
  const [told] = containerStatuses({
    containers: [name],
    history,
    previous:
      before === undefined
        ? []
        : [{ name, state: stateBefore(before.state), lastTerminationState: lastOf(before.lastState) }],
    // Nobody starts an ephemeral container twice.
    restartPolicy: kind === "ephemeral" ? "Never" : (container.restartPolicy ?? restartPolicy),
    init: kind === "init" && !sidecar,
    hasInit: initContainers.length > 0,
    startError,
  });
  const newest = history.find((run) => run.name === name);
  const state: ContainerStateStatus = told?.state ?? {};
  const running = state.running !== undefined;
  const initDone = state.terminated?.exitCode === 0;
  return {
    name,
    state,
    lastState: told?.lastTerminationState ?? {},
    ready: kind === "init" && !sidecar ? initDone : kind === "ephemeral" ? false : running,
    restartCount: newest?.restartCount ?? before?.restartCount ?? 0,
    image: newest?.imageName ?? image,
    imageID: newest?.imageID ?? "",
    ...(newest?.containerId !== undefined && { containerID: newest.containerId }),
    ...(kind !== "ephemeral" && { started: running }),
  };
}

function previousOf(
  previous: PodStatus | undefined,
  kind: "init" | "container" | "ephemeral",
  name: string,
): ContainerStatus | undefined {
  const lists = {
    init: previous?.initContainerStatuses,
    container: previous?.containerStatuses,
    ephemeral: previous?.ephemeralContainerStatuses,
  };
  return lists[kind]?.find((status) => status.name === name);
}

/** As the images room has it: nothing rather than a state without content. */
function lastOf({ terminated }: ContainerStateStatus): NonNullable<PreviousStatus["lastTerminationState"]> {
  return terminated === undefined ? {} : { terminated };
}

/** A member that is there has something to say. */
function stateBefore({
  waiting,
  running,
  terminated,
}: ContainerStateStatus): NonNullable<PreviousStatus["state"]> {
  return {
    ...(waiting !== undefined && { waiting }),
    ...(running !== undefined && { running }),
    ...(terminated !== undefined && { terminated }),
  };
}

function asking(containers: readonly Container[]): readonly JsonObject[] {
  return containers.map(({ resources }) => (resources === undefined ? {} : { resources: { ...resources } }));
}

function byName(statuses: readonly ContainerStatus[]): readonly ContainerStatus[] {
  return statuses.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
