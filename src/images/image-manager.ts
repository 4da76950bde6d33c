/**
 * Ensures that an image a container names is on this node, deciding and speaking as the kubelet does.
 *
 * ```text
 * name ──► present? ──► decide ──► back-off? ──► queue ──► pull ──► present or pulled
 *   │         │            │           │                     │
 *   ▼         ▼            ▼           ▼                     ▼
 * Invalid  ImageInspect  ErrImage   ImagePull           ErrImagePull, RegistryUnavailable,
 * ImageName Error        NeverPull  BackOff             SignatureValidationFailed
 * ```
 *
 * Failures are values: a Pod in trouble is an everyday answer.
 */
import type { Digest } from "../oci/index.ts";
import { BackOff } from "./back-off.ts";
import { type PullDecision, type PullPolicy, decidePull, needsPresence } from "./decide-pull.ts";
import { ImagesError } from "./errors.ts";
import { goQuote } from "./go-quote.ts";
import { applyDefaultImageTag } from "./image-name.ts";
import type { ImageRuntime, PullProgress, RuntimeImage } from "./image-runtime.ts";
import { PullQueue } from "./pull-queue.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Why a container waits, in the kubelet's words. */
export type FailureReason =
  | "InvalidImageName"
  | "ImageInspectError"
  | "ErrImageNeverPull"
  | "ImagePullBackOff"
  | "ErrImagePull"
  | "RegistryUnavailable"
  | "SignatureValidationFailed";

export interface ImageEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: "Pulling" | "Pulled" | "BackOff" | "Failed" | "InspectFailed" | "ErrImageNeverPull";
  readonly message: string;
}

export interface EnsureRequest {
  /** As the Pod has it. */
  readonly image: string;
  readonly policy: PullPolicy;
  /** Back-off is kept for each Pod apart: one that is made anew starts afresh. */
  readonly podUid: string;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: ImageEvent) => void) | undefined;
  /** Told that the pull has left the queue, then how far it is. */
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

export type EnsureOutcome =
  | {
      readonly state: "present" | "pulled";
      readonly decision: PullDecision;
      /** The image's id, which the kubelet calls imageRef. */
      readonly imageRef: Digest;
      /** What the name points at. */
      readonly digest: Digest;
      /** Bytes. */
      readonly size: number;
      /** Milliseconds the pull took; 0 for an image that was present. */
      readonly duration: number;
      /** The same with the time in the queue. */
      readonly durationWithWaiting: number;
    }
  | {
      readonly state: "failed";
      readonly decision: PullDecision | undefined;
      readonly reason: FailureReason;
      readonly message: string;
      /** When another attempt makes sense, milliseconds since the epoch; absent when only a change helps. */
      readonly retryAt?: number | undefined;
      /** What was thrown, for those who explain. */
      readonly cause?: unknown;
    };

export interface ImageManagerOptions {
  readonly runtime: ImageRuntime;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly backOff?: BackOff | undefined;
  /** Pulls at once; 1 by default, as the kubelet does. */
  readonly maxParallelPulls?: number | undefined;
  /** Pulls a second, and how many may come at once; the kubelet's 5 and 10 by default. A rate of 0 is no limit. */
  readonly rate?: { readonly qps: number; readonly burst: number } | undefined;
}

export class ImageManager {
  readonly #runtime: ImageRuntime;
  readonly #now: () => number;
  readonly #backOff: BackOff;
  readonly #queue: PullQueue;
  readonly #bucket: TokenBucket | undefined;
  /** What the last failure of a back-off key said. */
  readonly #remembered = new Map<string, string>();

  constructor(options: ImageManagerOptions) {
    this.#runtime = options.runtime;
    this.#now = options.now;
    this.#backOff = options.backOff ?? new BackOff({ now: options.now });
    this.#queue = new PullQueue(options.maxParallelPulls ?? 1);
    const { qps, burst } = options.rate ?? { qps: 5, burst: 10 };
    this.#bucket = qps === 0 ? undefined : new TokenBucket({ rate: qps, burst, now: options.now });
  }

  /**
   * Brings the image here if the policy says so. Resolves with a failure rather than throwing; only an abort of
   * `signal` is thrown.
   */
  async ensure(request: EnsureRequest): Promise<EnsureOutcome> {
    const { image, policy } = request;
    let tagged: string;
    try {
      tagged = applyDefaultImageTag(image);
    } catch (error) {
      const message = `Failed to apply default image tag ${goQuote(image)}: ${messageOf(error)}`;
      request.onEvent?.({ type: "Warning", reason: "InspectFailed", message });
      return { state: "failed", decision: undefined, reason: "InvalidImageName", message, cause: error };
    }
    let found: RuntimeImage | undefined;
    if (needsPresence(policy)) {
      try {
        found = await this.#runtime.find(tagged, { signal: request.signal });
      } catch (error) {
        request.signal?.throwIfAborted();
        // The kubelet quotes an empty text here; dashboards match on it.
        const message = `Failed to inspect image "": ${messageOf(error)}`;
        request.onEvent?.({ type: "Warning", reason: "InspectFailed", message });
        return { state: "failed", decision: undefined, reason: "ImageInspectError", message, cause: error };
      }
    }
    const decision = decidePull({ policy, present: found !== undefined });
    if (decision.action === "refuse") {
      const message = `Container image ${goQuote(image)} is not present with pull policy of Never`;
      request.onEvent?.({ type: "Warning", reason: "ErrImageNeverPull", message });
      return { state: "failed", decision, reason: "ErrImageNeverPull", message };
    }
    if (decision.action === "use" && found !== undefined) {
      const message = `Container image ${goQuote(image)} already present on machine and can be accessed by the pod`;
      request.onEvent?.({ type: "Normal", reason: "Pulled", message });
      return succeed("present", decision, found, { duration: 0, durationWithWaiting: 0 });
    }
    return await this.#pull(request, tagged, decision);
  }

  /** Lets the next attempt of this Pod and image start at once: somebody knows that what was wrong is mended. */
  forgetBackOff(request: Pick<EnsureRequest, "image" | "podUid">): void {
    this.#backOff.reset(keyOf(request));
  }

  async #pull(request: EnsureRequest, tagged: string, decision: PullDecision): Promise<EnsureOutcome> {
    const { image, onEvent, signal } = request;
    const key = keyOf(request);
    if (this.#backOff.isWaiting(key)) {
      const text = `Back-off pulling image ${goQuote(image)}`;
      onEvent?.({ type: "Normal", reason: "BackOff", message: text });
      const remembered = this.#remembered.get(key);
      const message = remembered === undefined ? text : `${text}: ${remembered}`;
      return {
        state: "failed",
        decision,
        reason: "ImagePullBackOff",
        message,
        retryAt: this.#backOff.waitsUntil(key),
      };
    }
    this.#remembered.delete(key);
    onEvent?.({ type: "Normal", reason: "Pulling", message: `Pulling image ${goQuote(image)}` });
    const askedAt = this.#now();
    let startedAt = askedAt;
    let pulled: RuntimeImage;
    try {
      pulled = await this.#queue.run(async () => {
        startedAt = this.#now();
        if (this.#bucket?.take() === false) throw new ImagesError("PULL_QPS_EXCEEDED", "pull QPS exceeded");
        request.onProgress?.({ bytes: 0, total: 0 });
        return await this.#runtime.pull(tagged, { signal, onProgress: request.onProgress });
      }, signal);
    } catch (error) {
      signal?.throwIfAborted();
      const text = messageOf(error);
      onEvent?.({
        type: "Warning",
        reason: "Failed",
        message: `Failed to pull image ${goQuote(image)}: ${text}`,
      });
      this.#backOff.next(key);
      const { reason, message } = classify(text, image);
      this.#remembered.set(key, `${reason}: ${message}`);
      return {
        state: "failed",
        decision,
        reason,
        message,
        retryAt: this.#backOff.waitsUntil(key),
        cause: error,
      };
    }
    const endedAt = this.#now();
    const times = { duration: endedAt - startedAt, durationWithWaiting: endedAt - askedAt };
    onEvent?.({ type: "Normal", reason: "Pulled", message: describePull(image, pulled, times) });
    this.#backOff.collect();
    return succeed("pulled", decision, pulled, times);
  }
}

interface Times {
  readonly duration: number;
  readonly durationWithWaiting: number;
}

function succeed(
  state: "present" | "pulled",
  decision: PullDecision,
  image: RuntimeImage,
  times: Times,
): EnsureOutcome {
  return { state, decision, imageRef: image.id, digest: image.digest, size: image.size, ...times };
}

function keyOf({ podUid, image }: Pick<EnsureRequest, "image" | "podUid">): string {
  return `${podUid}_${image}`;
}

const PREFIXES = [
  { prefix: "RegistryUnavailable", why: "the registry is unavailable" },
  { prefix: "SignatureValidationFailed", why: "the signature validation failed" },
] as const;

/** Two kinds of failure are known by how their text begins; everything else is a plain failed pull. */
function classify(text: string, image: string): { readonly reason: FailureReason; readonly message: string } {
  for (const { prefix, why } of PREFIXES) {
    if (!text.startsWith(prefix)) continue;
    return {
      reason: prefix,
      message: `image pull failed for ${image} because ${why}${text.slice(prefix.length)}`,
    };
  }
  return { reason: "ErrImagePull", message: text };
}

function describePull(image: string, { size }: RuntimeImage, times: Times): string {
  const pull = goDuration(times.duration);
  const total = goDuration(times.durationWithWaiting);
  return `Successfully pulled image ${goQuote(image)} in ${pull} (${total} including waiting). Image size: ${size} bytes.`;
}

/** Milliseconds as Go prints a duration: `350ms`, `1.5s`, `2m0s`. */
export function goDuration(milliseconds: number): string {
  const whole = Math.trunc(milliseconds);
  if (whole === 0) return "0s";
  if (Math.abs(whole) < 1000) return `${whole}ms`;
  const sign = whole < 0 ? "-" : "";
  const rest = Math.abs(whole);
  const hours = Math.floor(rest / 3_600_000);
  const minutes = Math.floor(rest / 60_000) % 60;
  const seconds = String((rest % 60_000) / 1000);
  const head = hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m` : "";
  return `${sign}${head}${seconds}s`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
