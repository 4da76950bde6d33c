import type { ContainerState, NodeChange, NodeState } from "../../node/index.ts";

/** Whether nothing is under way: every image is here, has failed, or waits for one that has failed. */
export function isSettled(state: NodeState): boolean {
  return state.pods.every(({ containers }) => {
    const blocked = containers.some(({ role, phase }) => role === "init" && phase === "failed");
    return containers.every((container) => isAtRest(container, blocked));
  });
}

/** Whether a change could have been the last one. */
export function mayHaveSettled(change: NodeChange): boolean {
  if (change.kind === "pod-removed") return true;
  return change.kind === "container" && ["ready", "failed"].includes(change.container.phase);
}

/** Whether every image of every Pod is here, and every file could be read. */
export function isAllReady(state: NodeState): boolean {
  return (
    state.problems.length === 0 &&
    state.pods.every(({ containers }) => containers.every(({ phase }) => phase === "ready"))
  );
}

function isAtRest({ phase, reason }: ContainerState, blocked: boolean): boolean {
  if (phase === "ready" || phase === "failed") return true;
  return phase === "waiting" && blocked && reason === "PodInitializing";
}
