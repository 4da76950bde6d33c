import type { Container, RestartPolicy } from "../kubernetes/index.ts";
import type { ContainerKind, PodContainer } from "./container-runtime.ts";
import { isSidecar } from "./status/pod-phase.ts";

/**
 * What a look has to do about a container:
 *
 * ```text
 * start     it never ran, or ended and is to run again
 * replace   it runs another image than the Pod says now
 * running   nothing
 * done      it ended, and that was it
 * failed    it ended, and keeps what comes after it from ever starting
 * ```
 */
export type ContainerStep = "start" | "replace" | "running" | "done" | "failed";

export function containerStep(facts: {
  readonly kind: ContainerKind;
  readonly container: Container;
  /** Its latest run. */
  readonly newest: PodContainer | undefined;
  readonly restartPolicy: RestartPolicy;
}): ContainerStep {
  const { kind, container, newest } = facts;
  if (newest === undefined) return "start";
  // An ephemeral container has one run, however it ends.
  if (kind === "ephemeral") return newest.state === "Running" ? "running" : "done";
  if (newest.state === "Running") return newest.image === container.image ? "running" : "replace";
  if (newest.state !== "Exited") return "start";
  const restartPolicy = container.restartPolicy ?? facts.restartPolicy;
  if (kind === "init" && !isSidecar(container)) {
    if (newest.exitCode === 0) return "done";
    return restartPolicy === "Never" ? "failed" : "start";
  }
  if (restartPolicy === "Always") return "start";
  return restartPolicy === "Never" || newest.exitCode === 0 ? "done" : "start";
}
