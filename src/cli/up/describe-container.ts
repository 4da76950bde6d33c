import type { ContainerState, PodEvent, PodState } from "../../node/index.ts";
import type { Styling } from "../terminal/style.ts";
import { formatBytes, formatDuration } from "../terminal/units.ts";

/** One container of a Pod as the table shows it. */
export interface ContainerRow {
  readonly pod: string;
  readonly container: string;
  readonly image: string;
  readonly policy: string;
  /** `Pulled`, `Pulling 45%`, `ErrImagePull`. */
  readonly state: string;
  readonly styling: Styling | undefined;
  readonly digest: string;
  readonly size: string;
  readonly time: string;
  /** Why it is so, in a sentence; empty when there is nothing to add. */
  readonly message: string;
}

const SHORT_DIGEST = "sha256:".length + 12;

export function describeContainer(pod: PodState, container: ContainerState): ContainerRow {
  const { state, styling } = describeState(container);
  const { role, name, image, policy, digest, size, duration, outcome } = container;
  return {
    pod: pod.namespace === "default" ? pod.name : `${pod.namespace}/${pod.name}`,
    container: role === "container" ? name : `${name} (${role})`,
    image,
    policy,
    state,
    styling,
    digest: digest === undefined ? "" : digest.slice(0, SHORT_DIGEST),
    size: size === undefined ? "" : formatBytes(size),
    time: duration === undefined || outcome !== "pulled" ? "" : formatDuration(duration),
    message: container.message ?? "",
  };
}

function describeState(container: ContainerState): { readonly state: string; readonly styling?: Styling } {
  switch (container.phase) {
    case "waiting":
      return {
        state: container.reason === "PodInitializing" ? "PodInitializing" : "Waiting",
        styling: "dim",
      };
    case "pulling":
      return { state: `Pulling${percent(container)}`, styling: "yellow" };
    case "ready":
      return { state: container.outcome === "present" ? "Present" : "Pulled", styling: "green" };
    case "failed":
      return { state: container.reason ?? "Failed", styling: "red" };
  }
}

function percent({ progress }: ContainerState): string {
  if (progress === undefined || progress.total === 0) return "";
  return ` ${Math.min(100, Math.floor((progress.bytes / progress.total) * 100))}%`;
}

/** One change as an object, for `--json`; every line has the same members. */
export function toJson(pod: PodState, container: ContainerState): Readonly<Record<string, unknown>> {
  const {
    role,
    name,
    image,
    policy,
    phase,
    reason,
    message,
    outcome,
    digest,
    imageRef,
    size,
    duration,
    retryAt,
    detail,
  } = container;
  return {
    event: "container",
    namespace: pod.namespace,
    pod: pod.name,
    file: pod.file ?? null,
    container: name,
    role,
    image,
    policy,
    phase,
    outcome: outcome ?? null,
    reason: reason ?? null,
    message: message ?? null,
    digest: digest ?? null,
    imageRef: imageRef ?? null,
    size: size ?? null,
    durationMs: duration ?? null,
    failureKind: detail?.kind ?? null,
    failureCause: detail?.because ?? null,
    retryAt: retryAt === undefined ? null : new Date(retryAt).toISOString(),
  };
}

/** An event as an object, for `--json`: of a Pod, or of the node itself. */
export function eventToJson(
  pod: { readonly namespace: string; readonly name: string } | undefined,
  { type, reason, message, fieldPath, count, first, last }: PodEvent,
): Readonly<Record<string, unknown>> {
  return {
    ...(pod === undefined
      ? { event: "node-event" }
      : { event: "pod-event", namespace: pod.namespace, pod: pod.name }),
    type,
    reason,
    message,
    fieldPath: fieldPath ?? null,
    count,
    first: new Date(first).toISOString(),
    last: new Date(last).toISOString(),
  };
}
