/** What is asked of {@link ImageManager}, and what it answers. */
import type { PullSecret } from "../credentials/index.ts";
import type { Digest } from "../oci/index.ts";
import type { FailureReason } from "./classify-pull-error.ts";
import type { PullDecision, PullPolicy } from "./decide-pull.ts";
import type { PullProgress } from "./image-runtime.ts";
import type { FailureDetail } from "./judge-failure.ts";
import type { Annotation } from "./image-service.ts";

export interface ImageEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: "Pulling" | "Pulled" | "BackOff" | "Failed" | "InspectFailed" | "ErrImageNeverPull";
  readonly message: string;
}

/** The Pod an image is for, as far as credentials go. */
export interface EnsurePod {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly serviceAccountName: string;
}

export interface EnsureRequest {
  /** As the Pod has it. */
  readonly image: string;
  readonly policy: PullPolicy;
  /** Back-off is kept for each Pod apart: one that is made anew starts afresh. */
  readonly podUid: string;
  readonly pod?: EnsurePod | undefined;
  /** The Pod's annotations; they go along to the runtime. */
  readonly annotations?: readonly Annotation[] | undefined;
  readonly runtimeHandler?: string | undefined;
  /** The Secrets the Pod names, those that were found. */
  readonly pullSecrets?: readonly PullSecret[] | undefined;
  /** Of those, and of those that weren't found, the names: which Secrets could mend a failure. All by default. */
  readonly pullSecretNames?: readonly string[] | undefined;
  /** The Pod's; 0 by default. */
  readonly priority?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: ImageEvent) => void) | undefined;
  /** Told that the pull has left the queue, then how far it is. */
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  /** Told when pulling begins, and when the image is here. */
  readonly onPulling?: ((phase: "started" | "finished") => void) | undefined;
}

export interface EnsureSuccess {
  readonly state: "present" | "pulled";
  readonly decision: PullDecision;
  /** The image's id, which the kubelet calls imageRef. */
  readonly imageRef: string;
  /** What the name points at. */
  readonly digest: Digest | undefined;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds the pull took; 0 for an image that was present. */
  readonly duration: number;
  /** The same with the time in the queue. */
  readonly durationWithWaiting: number;
  /** What the kubelet returns beside the reference: empty for a pull. */
  readonly message: string;
  /** Set where policy Always was content with the image that was here, as its registry couldn't be reached. */
  readonly fallback?: { readonly text: string; readonly detail: FailureDetail } | undefined;
}

export interface EnsureFailure {
  readonly state: "failed";
  readonly decision: PullDecision | undefined;
  readonly reason: FailureReason;
  readonly message: string;
  /** When another attempt makes sense, milliseconds since the epoch; absent when only a change helps. */
  readonly retryAt?: number | undefined;
  /** Of a failed pull, also while it waits: whether trying again can help, and what it is about. */
  readonly detail?: FailureDetail | undefined;
  /** What was thrown, for those who explain. */
  readonly cause?: unknown;
}

export type EnsureOutcome = EnsureSuccess | EnsureFailure;
