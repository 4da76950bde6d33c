import type { Digest } from "../oci/index.ts";
import type { FailureDetail, FailureReason, PullDecision, PullProgress } from "../images/index.ts";
import type { PullPolicy } from "../kubernetes/index.ts";
import type { PodEvent } from "./pod-events.ts";
import type { PodStatus } from "./status/pod-status.ts";

/** In the order in which a Pod needs them. */
export type ImageRole = "volume" | "init" | "container" | "ephemeral";

/**
 * Where the image of one container is on its way:
 *
 * ```text
 * waiting ──► pulling ──► ready
 *    ▲           └──────► failed ──► (again, when back-off allows) pulling
 *    └ PodInitializing: an init container before it isn't ready
 * ```
 */
export type ImagePhase = "waiting" | "pulling" | "ready" | "failed";

export type WaitingReason = FailureReason | "ContainerCreating" | "PodInitializing";

export interface ContainerState {
  readonly role: ImageRole;
  readonly name: string;
  /** As the Pod has it. */
  readonly image: string;
  readonly policy: PullPolicy;
  readonly phase: ImagePhase;
  /** While waiting or failed, the reason that `kubectl` would show, and its message. */
  readonly reason?: WaitingReason | undefined;
  readonly message?: string | undefined;
  /** Whether the last success was a pull, or the image was here. */
  readonly outcome?: "present" | "pulled" | undefined;
  readonly decision?: PullDecision | undefined;
  readonly imageRef?: string | undefined;
  readonly digest?: Digest | undefined;
  /** Bytes. */
  readonly size?: number | undefined;
  /** Milliseconds the last pull took. */
  readonly duration?: number | undefined;
  readonly progress?: PullProgress | undefined;
  /** Of a failed image: whether trying again can help, and what it is about. */
  readonly detail?: FailureDetail | undefined;
  /** When a failed image is tried again, milliseconds since the epoch. */
  readonly retryAt?: number | undefined;
}

export interface PodState {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The file it stands in, if it stands in one. */
  readonly file?: string | undefined;
  readonly containers: readonly ContainerState[];
  /** What was said of the Pod, in the kubelet's words. */
  readonly events: readonly PodEvent[];
  /** As the API would have it now. It hears of a failure at the next look only, as from the kubelet. */
  readonly status: PodStatus;
}

/** What a node knows: Pods sorted by namespace and name, and what is wrong with the files. */
export interface NodeState {
  readonly pods: readonly PodState[];
  /** What was said of the node itself. */
  readonly events: readonly PodEvent[];
  /** One sentence each. */
  readonly problems: readonly string[];
}
