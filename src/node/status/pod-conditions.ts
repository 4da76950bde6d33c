import { hasBegun, isSidecar, type PhaseFacts } from "./pod-phase.ts";
import type { PodCondition, PodPhase } from "./pod-status.ts";

export interface ConditionFacts extends PhaseFacts {
  readonly phase: PodPhase;
  readonly sandbox: boolean;
  /** What was said before; a condition that stays as it was keeps its time. */
  readonly previous: readonly PodCondition[];
  readonly generation: number | undefined;
  /** RFC 3339. */
  readonly now: string;
}

type Verdict = Pick<PodCondition, "status" | "reason" | "message">;

const TRUE: Verdict = { status: "True" };

/** In the order in which the kubelet writes them. */
export function podConditions(facts: ConditionFacts): readonly PodCondition[] {
  const ready = containersReady(facts);
  const verdicts: readonly (readonly [PodCondition["type"], Verdict])[] = [
    ["PodReadyToStartContainers", facts.sandbox ? TRUE : { status: "False" }],
    ["Initialized", initialized(facts)],
    // Nothing else has to be ready: readiness gates belong to whoever runs containers.
    ["Ready", ready],
    ["ContainersReady", ready],
    ["PodScheduled", TRUE],
  ];
  return verdicts.map(([type, verdict]) => {
    const before = facts.previous.find((condition) => condition.type === type);
    const lastTransitionTime = before?.status === verdict.status ? before.lastTransitionTime : facts.now;
    const observed = facts.generation === undefined ? {} : { observedGeneration: facts.generation };
    return { type, ...observed, lastProbeTime: null, lastTransitionTime, ...verdict };
  });
}

function initialized({ initContainers, containers, statuses, phase }: ConditionFacts): Verdict {
  const unknown = initContainers.filter(({ name }) => !statuses.has(name));
  if (phase === "Succeeded" && unknown.length === 0) return { status: "True", reason: "PodCompleted" };
  if (containers.some(({ name }) => hasBegun(statuses.get(name)))) return TRUE;
  const incomplete = initContainers.filter((container) => {
    const status = statuses.get(container.name);
    return status !== undefined && !(isSidecar(container) ? status.started === true : status.ready);
  });
  return judge("ContainersNotInitialized", [
    ["containers with unknown status", unknown],
    ["containers with incomplete status", incomplete],
  ]);
}

function containersReady({ initContainers, containers, statuses, phase }: ConditionFacts): Verdict {
  const counted = [...initContainers.filter(isSidecar), ...containers];
  const unknown = counted.filter(({ name }) => !statuses.has(name));
  if (phase === "Succeeded" && unknown.length === 0) return { status: "False", reason: "PodCompleted" };
  if (phase === "Failed") return { status: "False", reason: "PodFailed" };
  const unready = counted.filter(({ name }) => statuses.get(name)?.ready === false);
  return judge("ContainersNotReady", [
    ["containers with unknown status", unknown],
    ["containers with unready status", unready],
  ]);
}

function judge(
  reason: string,
  groups: readonly (readonly [what: string, containers: readonly { readonly name: string }[]])[],
): Verdict {
  const told = groups.filter(([, containers]) => containers.length > 0);
  if (told.length === 0) return TRUE;
  const message = told
    .map(([what, containers]) => `${what}: [${containers.map(({ name }) => name).join(" ")}]`)
    .join(", ");
  return { status: "False", reason, message };
}
