/**
 * Ensures that an image a container names is on this node, deciding and speaking as the kubelet does.
 *
 * ```text
 * name ──► present? ──► may this Pod use it? ──► decide ──► back-off? ──► queue ──► pull ──► present or pulled
 *   │         │                 │                  │           │                     │
 *   ▼         ▼                 ▼                  ▼           ▼                     ▼
 * Invalid  ImageInspect   what the lookup      ErrImage   ImagePull           ErrImagePull, RegistryUnavailable,
 * ImageName Error         of credentials says  NeverPull  BackOff             SignatureValidationFailed
 * ```
 *
 * Failures are values: a Pod in trouble is an everyday answer.
 */
import type { TrackedCredential } from "../credentials/index.ts";
import { formatDuration } from "../internal/go/duration.ts";
import { goQuote } from "../internal/go/quote.ts";
import { messageOf } from "./aggregate-message.ts";
import { classifyPullError, type FailureReason } from "./classify-pull-error.ts";
import { type PullDecision, decidePull, needsPresence } from "./decide-pull.ts";
import type { EnsureFailure, EnsureOutcome, EnsureRequest, EnsureSuccess, ImageEvent } from "./ensure.ts";
import { ImagesError } from "./errors.ts";
import { applyDefaultImageTag } from "./image-name.ts";
import type { ImageRuntime, PulledImage, RuntimeImage } from "./image-runtime.ts";
import { imageSizeBucket, METRICS, type MetricSink, NO_METRICS } from "./metrics.ts";
import { lookUpCredentials, type NodeKeyring, recordCredential, showCredentials } from "./pod-credentials.ts";
import { BackOff } from "./back-off.ts";
import { PullQueue } from "./pull-queue.ts";
import type { AccessDecision } from "./pull-records/decide-access.ts";
import type { PullManager } from "./pull-records/pull-manager.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Remembers who may use which image; {@link PullManager} does. */
export type AccessKeeper = Pick<
  PullManager,
  "recordPullIntent" | "recordImagePulled" | "recordImagePullFailed" | "mustAttemptImagePull"
>;

export interface ImageManagerOptions {
  readonly runtime: ImageRuntime;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly backOff?: BackOff | undefined;
  /** Pulls at once; 1 by default, as the kubelet does. `Infinity` is no limit. */
  readonly maxParallelPulls?: number | undefined;
  /** Pulls a second, and how many may come at once; the kubelet's 5 and 10 by default. A rate of 0 is no limit. */
  readonly rate?: { readonly qps: number; readonly burst: number } | undefined;
  /** The node's own credentials. Without them and without Secrets, the runtime uses its own sources. */
  readonly keyring?: NodeKeyring | undefined;
  /** Without it, an image that is here is everybody's. */
  readonly access?: AccessKeeper | undefined;
  /** The gate KubeletEnsureSecretPulledImages, on by default. Off, nothing is recorded and nothing verified. */
  readonly ensureSecretPulled?: boolean | undefined;
  readonly metrics?: MetricSink | undefined;
}

export class ImageManager {
  readonly #options: ImageManagerOptions;
  readonly #runtime: ImageRuntime;
  readonly #now: () => number;
  readonly #backOff: BackOff;
  readonly #queue: PullQueue;
  readonly #bucket: TokenBucket | undefined;
  readonly #tracking: boolean;
  readonly #access: AccessKeeper | undefined;
  readonly #metrics: MetricSink;
  /** What the last failure of a back-off key said. */
  readonly #remembered = new Map<string, string>();

  constructor(options: ImageManagerOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    this.#now = options.now;
    this.#backOff = options.backOff ?? new BackOff({ now: options.now });
    this.#queue = new PullQueue(options.maxParallelPulls ?? 1);
    const { qps, burst } = options.rate ?? { qps: 5, burst: 10 };
    this.#bucket = qps === 0 ? undefined : new TokenBucket({ rate: qps, burst, now: options.now });
    this.#tracking = options.ensureSecretPulled ?? true;
    this.#access = this.#tracking ? options.access : undefined;
    this.#metrics = options.metrics ?? NO_METRICS;
  }

  /**
   * Brings the image here if the policy says so. Resolves with a failure rather than throwing; only an abort of
   * `signal` is thrown.
   */
  async ensure(request: EnsureRequest): Promise<EnsureOutcome> {
    const call = new Call(request, (tagged) =>
      lookUpCredentials(request, tagged, { keyring: this.#options.keyring, track: this.#tracking }),
    );
    try {
      return await this.#ensure(call);
    } finally {
      this.#metrics.count(METRICS.ensureImage, {
        pull_policy: request.policy.toLowerCase(),
        present_locally: call.present,
        pull_required: call.required,
      });
    }
  }

  /** Lets the next attempt of this Pod and image start at once: somebody knows that what was wrong is mended. */
  forgetBackOff(request: Pick<EnsureRequest, "image" | "podUid">): void {
    this.#backOff.reset(keyOf(request));
  }

  async #ensure(call: Call): Promise<EnsureOutcome> {
    const { request } = call;
    const { image, policy } = request;
    try {
      call.tagged = applyDefaultImageTag(image);
    } catch (cause) {
      const message = `Failed to apply default image tag ${goQuote(image)}: ${messageOf(cause)}`;
      call.tell({ type: "Warning", reason: "InspectFailed", message });
      return { state: "failed", decision: undefined, reason: "InvalidImageName", message, cause };
    }
    let found: RuntimeImage | undefined;
    if (needsPresence(policy)) {
      try {
        found = await this.#runtime.find(call.tagged, request);
      } catch (cause) {
        request.signal?.throwIfAborted();
        // The kubelet quotes an empty text here; dashboards match on it.
        const message = `Failed to inspect image "": ${messageOf(cause)}`;
        call.tell({ type: "Warning", reason: "InspectFailed", message });
        return { state: "failed", decision: undefined, reason: "ImageInspectError", message, cause };
      }
      call.present = found === undefined ? "false" : "true";
    }
    const access = found === undefined ? undefined : await this.#askAccess(call, found);
    if (access?.because === "credentials-unavailable") return failWithText(undefined, access.cause);
    const decision = decidePull({ policy, present: found !== undefined, access });
    if (decision.because !== "never-and-absent") call.required = decision.action === "use" ? "false" : "true";
    if (decision.action === "refuse") {
      const message = `Container image ${goQuote(image)} is not present with pull policy of Never`;
      call.tell({ type: "Warning", reason: "ErrImageNeverPull", message });
      return { state: "failed", decision, reason: "ErrImageNeverPull", message };
    }
    if (decision.action === "use" && found !== undefined) {
      const accessible = this.#tracking ? " and can be accessed by the pod" : "";
      const message = `Container image ${goQuote(image)} already present on machine${accessible}`;
      call.tell({ type: "Normal", reason: "Pulled", message });
      request.onPulling?.("finished");
      return succeed(found, { state: "present", decision, duration: 0, durationWithWaiting: 0, message });
    }
    let credentials: readonly TrackedCredential[] | undefined;
    try {
      credentials = await call.findCredentials();
    } catch (cause) {
      request.signal?.throwIfAborted();
      return failWithText(decision, cause);
    }
    return await this.#pullRecorded(call, decision, credentials);
  }

  async #askAccess(call: Call, found: RuntimeImage): Promise<AccessDecision | undefined> {
    const decision = await this.#access?.mustAttemptImagePull(call.request.image, found.id, async () =>
      showCredentials((await call.findCredentials()) ?? []),
    );
    call.request.signal?.throwIfAborted();
    return decision;
  }

  /** A pull between its intent and its end, of which there is exactly one, whatever happens. */
  async #pullRecorded(
    call: Call,
    decision: PullDecision,
    credentials: readonly TrackedCredential[] | undefined,
  ): Promise<EnsureOutcome> {
    const { image } = call.request;
    try {
      await this.#access?.recordPullIntent(image);
    } catch (cause) {
      const text = messageOf(cause);
      const message = `Failed to record image pull intent for container image ${goQuote(image)}: ${text}`;
      return { state: "failed", decision, reason: text, message, cause };
    }
    let pulled: PulledImage | undefined;
    try {
      return await this.#pull(call, {
        decision,
        credentials,
        onPulled: (result) => {
          pulled = result;
        },
      });
    } finally {
      if (pulled === undefined) await this.#access?.recordImagePullFailed(image);
      else await this.#access?.recordImagePulled(image, pulled.id, recordCredential(pulled.credential));
    }
  }

  async #pull(
    call: Call,
    work: {
      readonly decision: PullDecision;
      readonly credentials: readonly TrackedCredential[] | undefined;
      readonly onPulled: (pulled: PulledImage) => void;
    },
  ): Promise<EnsureOutcome> {
    const { request, tagged } = call;
    const { image, signal } = request;
    const key = keyOf(request);
    const { decision, credentials } = work;
    if (this.#backOff.isWaiting(key)) return this.#refuseInBackOff(call, decision);
    this.#remembered.delete(key);
    request.onPulling?.("started");
    call.tell({ type: "Normal", reason: "Pulling", message: `Pulling image ${goQuote(image)}` });
    const askedAt = this.#now();
    let startedAt = askedAt;
    let pulled: PulledImage;
    try {
      pulled = await this.#queue.run(async () => {
        startedAt = this.#now();
        if (this.#bucket?.take() === false) throw new ImagesError("PULL_QPS_EXCEEDED", "pull QPS exceeded");
        request.onProgress?.({ bytes: 0, total: 0 });
        const { annotations, runtimeHandler, onProgress } = request;
        return await this.#runtime.pull(tagged, {
          annotations,
          runtimeHandler,
          credentials,
          signal,
          onProgress,
        });
      }, signal);
    } catch (cause) {
      signal?.throwIfAborted();
      return this.#failPull(call, decision, cause);
    }
    const endedAt = this.#now();
    work.onPulled(pulled);
    const times = { duration: endedAt - startedAt, durationWithWaiting: endedAt - askedAt };
    request.onPulling?.("finished");
    call.tell({ type: "Normal", reason: "Pulled", message: describePull(image, pulled, times) });
    this.#metrics.observe(METRICS.pullDuration, times.durationWithWaiting / 1000, {
      image_size_in_bytes: imageSizeBucket(pulled.size),
    });
    this.#collectBackOff();
    return succeed(pulled, { state: "pulled", decision, message: "", ...times });
  }

  #refuseInBackOff(call: Call, decision: PullDecision): EnsureFailure {
    const key = keyOf(call.request);
    const text = `Back-off pulling image ${goQuote(call.request.image)}`;
    call.tell({ type: "Normal", reason: "BackOff", message: text });
    const remembered = this.#remembered.get(key);
    const message = remembered === undefined ? text : `${text}: ${remembered}`;
    const retryAt = this.#backOff.waitsUntil(key);
    return { state: "failed", decision, reason: "ImagePullBackOff", message, retryAt };
  }

  #failPull(call: Call, decision: PullDecision, cause: unknown): EnsureFailure {
    const { image } = call.request;
    const key = keyOf(call.request);
    const text = messageOf(cause);
    call.tell({
      type: "Warning",
      reason: "Failed",
      message: `Failed to pull image ${goQuote(image)}: ${text}`,
    });
    this.#backOff.next(key);
    const { reason, message } = classifyPullError(text, image);
    this.#remembered.set(key, `${reason}: ${message}`);
    return { state: "failed", decision, reason, message, retryAt: this.#backOff.waitsUntil(key), cause };
  }

  #collectBackOff(): void {
    this.#backOff.collect();
    for (const key of this.#remembered.keys()) if (!this.#backOff.has(key)) this.#remembered.delete(key);
  }
}

/** One call of `ensure`, with what becomes known on its way. */
class Call {
  readonly request: EnsureRequest;
  /** The image with its default tag. */
  tagged = "";
  present: "unknown" | "true" | "false" = "unknown";
  required: "unknown" | "true" | "false" = "unknown";
  readonly #lookUp: (tagged: string) => Promise<readonly TrackedCredential[] | undefined>;
  #credentials: Promise<readonly TrackedCredential[] | undefined> | undefined;

  constructor(
    request: EnsureRequest,
    lookUp: (tagged: string) => Promise<readonly TrackedCredential[] | undefined>,
  ) {
    this.request = request;
    this.#lookUp = lookUp;
  }

  tell(event: ImageEvent): void {
    this.request.onEvent?.(event);
  }

  /** Looks once, when first asked; the answer, or the failure, is kept. */
  findCredentials(): Promise<readonly TrackedCredential[] | undefined> {
    return (this.#credentials ??= this.#lookUp(this.tagged));
  }
}

interface Times {
  readonly duration: number;
  readonly durationWithWaiting: number;
}

function succeed(
  image: RuntimeImage,
  rest: Omit<EnsureSuccess, "imageRef" | "digest" | "size">,
): EnsureSuccess {
  return { ...rest, imageRef: image.id, digest: image.digest, size: image.size };
}

/** A failure that the kubelet has no word for: its text is the reason, too. */
function failWithText(decision: PullDecision | undefined, cause: unknown): EnsureFailure {
  const message = messageOf(cause);
  const reason: FailureReason = message;
  return { state: "failed", decision, reason, message, cause };
}

function keyOf({ podUid, image }: Pick<EnsureRequest, "image" | "podUid">): string {
  return `${podUid}_${image}`;
}

function describePull(image: string, { size }: RuntimeImage, times: Times): string {
  const pull = wholeMilliseconds(times.duration);
  const total = wholeMilliseconds(times.durationWithWaiting);
  return `Successfully pulled image ${goQuote(image)} in ${pull} (${total} including waiting). Image size: ${size} bytes.`;
}

function wholeMilliseconds(milliseconds: number): string {
  return formatDuration(BigInt(Math.trunc(milliseconds)) * 1_000_000n);
}
