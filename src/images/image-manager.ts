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
import { goQuote } from "../internal/go/quote.ts";
import { messageOf } from "./message-of.ts";
import { classifyPullError } from "./classify-pull-error.ts";
import { type PullDecision, decidePull, needsPresence } from "./decide-pull.ts";
import { describePull, EnsureCall, failWithText, succeed } from "./ensure-call.ts";
import type { EnsureFailure, EnsureOutcome, EnsureRequest, EnsureSuccess } from "./ensure.ts";
import { ImagesError } from "./errors.ts";
import { FailureMemory } from "./failure-memory.ts";
import { applyDefaultImageTag } from "./image-name.ts";
import type { ImageRuntime, PulledImage, RuntimeImage } from "./image-runtime.ts";
import { judgeFailure } from "./judge-failure.ts";
import { KnownSizes } from "./known-sizes.ts";
import { imageSizeBucket, METRICS, type MetricSink, NO_METRICS } from "./metrics.ts";
import { lookUpCredentials, type NodeKeyring, recordCredential, showCredentials } from "./pod-credentials.ts";
import { BackOff } from "./back-off.ts";
import { PullBoard, type PullListener, type PullReport, type PullTicket } from "./pull-board.ts";
import { type PullOrder, PullQueue, type PullRank } from "./pull-queue.ts";
import type { AccessDecision } from "./pull-records/decide-access.ts";
import type { PullManager } from "./pull-records/pull-manager.ts";
import type { CredentialsChange, FailedPull } from "./recall.ts";
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
  /**
   * `kubelet`, the default: only time ends a back-off. `recover`: so does {@link ImageManager.credentialsChanged}, and a
   * registry that says `Retry-After` is left alone for so long, by all its images.
   */
  readonly backOffMode?: "kubelet" | "recover" | undefined;
  /**
   * `none`, the default: policy Always fails where its registry can't be reached. `present`: it uses the image that is
   * here, if this Pod may, and says so.
   */
  readonly pullFallback?: "none" | "present" | undefined;
  /** `arrival` by default. */
  readonly pullOrder?: PullOrder | undefined;
}

export class ImageManager {
  readonly #options: ImageManagerOptions;
  readonly #runtime: ImageRuntime;
  readonly #now: () => number;
  readonly #failures: FailureMemory;
  readonly #queue: PullQueue;
  readonly #bucket: TokenBucket | undefined;
  readonly #tracking: boolean;
  readonly #access: AccessKeeper | undefined;
  readonly #metrics: MetricSink;
  readonly #board: PullBoard;
  readonly #sizes = new KnownSizes();

  constructor(options: ImageManagerOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
    this.#now = options.now;
    this.#failures = new FailureMemory({
      backOff: options.backOff ?? new BackOff({ now: options.now }),
      now: options.now,
      recover: options.backOffMode === "recover",
    });
    this.#queue = new PullQueue(options.maxParallelPulls ?? 1, options.pullOrder);
    this.#board = new PullBoard({ now: options.now, waiting: () => this.#queue.waiting });
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
    const call = new EnsureCall(request, (tagged) =>
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
  forgetBackOff(request: FailedPull): void {
    this.#failures.forget(request);
  }

  /**
   * Ends the back-off of all that the change could mend, so that their next attempt starts at once; returns them, for
   * whoever would make that attempt now. Does nothing unless back-off is to recover.
   */
  credentialsChanged(change: CredentialsChange): readonly FailedPull[] {
    return this.#failures.cure(change);
  }

  /** Hears how every pull is now, then of each step. Listeners are called as things happen, and must not throw. */
  subscribe(listener: PullListener): () => void {
    return this.#board.subscribe(listener);
  }

  /** The same as a stream, from its first reading on: the latest of each pull, whatever the reader's pace. */
  progress(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncIterable<PullReport> {
    return this.#board.reports(options);
  }

  async #ensure(call: EnsureCall): Promise<EnsureOutcome> {
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
    const outcome = await this.#pullRecorded(call, decision, credentials);
    return outcome.state === "failed" ? ((await this.#fallBack(call, outcome)) ?? outcome) : outcome;
  }

  /**
   * The image that is here, for policy Always whose registry can't be reached. Comes after the pull's intent has ended,
   * since an image with one counts as pulled by us.
   */
  async #fallBack(call: EnsureCall, failure: EnsureFailure): Promise<EnsureSuccess | undefined> {
    const { decision, detail } = failure;
    if (this.#options.pullFallback !== "present" || decision?.because !== "policy-always") return undefined;
    if (detail?.unreachable !== true) return undefined;
    const { request, tagged } = call;
    let found: RuntimeImage | undefined;
    try {
      found = await this.#runtime.find(tagged, request);
    } catch {
      request.signal?.throwIfAborted();
    }
    if (found === undefined || (await this.#askAccess(call, found))?.mustPull === true) return undefined;
    const text = failure.message;
    const message = `Container image ${goQuote(request.image)} already present on machine and used as it is, because its registry cannot be reached: ${text}`;
    call.tell({ type: "Normal", reason: "Pulled", message });
    request.onPulling?.("finished");
    const fallback = { text, detail };
    return succeed(found, {
      state: "present",
      decision,
      duration: 0,
      durationWithWaiting: 0,
      message,
      fallback,
    });
  }

  async #askAccess(call: EnsureCall, found: RuntimeImage): Promise<AccessDecision | undefined> {
    const decision = await this.#access?.mustAttemptImagePull(call.request.image, found.id, async () =>
      showCredentials((await call.findCredentials()) ?? []),
    );
    call.request.signal?.throwIfAborted();
    return decision;
  }

  /** A pull between its intent and its end, of which there is exactly one, whatever happens. */
  async #pullRecorded(
    call: EnsureCall,
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
      this.#failures.ended(call);
      if (pulled === undefined) await this.#access?.recordImagePullFailed(image);
      else await this.#access?.recordImagePulled(image, pulled.id, recordCredential(pulled.credential));
    }
  }

  async #pull(
    call: EnsureCall,
    work: {
      readonly decision: PullDecision;
      readonly credentials: readonly TrackedCredential[] | undefined;
      readonly onPulled: (pulled: PulledImage) => void;
    },
  ): Promise<EnsureOutcome> {
    const { request, tagged } = call;
    const { image, signal } = request;
    const { decision, credentials } = work;
    if (this.#failures.isWaiting(call)) return this.#refuseInBackOff(call, decision);
    this.#failures.began(call);
    request.onPulling?.("started");
    call.tell({ type: "Normal", reason: "Pulling", message: `Pulling image ${goQuote(image)}` });
    const askedAt = this.#now();
    let startedAt = askedAt;
    const rank = this.#rank(call);
    const ticket = this.#board.begin({ image, podUid: request.podUid, rank });
    let pulled: PulledImage | undefined;
    try {
      const pulling = this.#queue.run(
        async () => {
          startedAt = this.#now();
          // The registry may have sent others away while this one stood in the queue.
          if (this.#failures.isHeld(call)) return undefined;
          if (this.#bucket?.take() === false) throw new ImagesError("PULL_QPS_EXCEEDED", "pull QPS exceeded");
          return await this.#pullNow(call, credentials, ticket);
        },
        signal,
        rank,
      );
      ticket.queued();
      pulled = await pulling;
    } catch (cause) {
      ticket.end(signal?.aborted === true ? "cancelled" : "failed");
      signal?.throwIfAborted();
      return this.#failPull(call, decision, cause);
    }
    ticket.end(pulled === undefined ? "failed" : "done");
    if (pulled === undefined) return this.#refuseInBackOff(call, decision);
    this.#sizes.learn(tagged, pulled.size);
    const endedAt = this.#now();
    work.onPulled(pulled);
    const times = { duration: endedAt - startedAt, durationWithWaiting: endedAt - askedAt };
    request.onPulling?.("finished");
    call.tell({ type: "Normal", reason: "Pulled", message: describePull(image, pulled, times) });
    this.#metrics.observe(METRICS.pullDuration, times.durationWithWaiting / 1000, {
      image_size_in_bytes: imageSizeBucket(pulled.size),
    });
    this.#failures.succeeded(call);
    return succeed(pulled, { state: "pulled", decision, message: "", ...times });
  }

  #rank({ request, tagged }: EnsureCall): PullRank {
    const sizes = this.#sizes;
    return {
      priority: request.priority ?? 0,
      // Another Pod's pull may find it out while this one waits.
      get size() {
        return sizes.get(tagged);
      },
    };
  }

  async #pullNow(
    call: EnsureCall,
    credentials: readonly TrackedCredential[] | undefined,
    ticket: PullTicket,
  ): Promise<PulledImage> {
    const { request, tagged } = call;
    const { annotations, runtimeHandler, signal, onProgress } = request;
    ticket.started();
    onProgress?.({ bytes: 0, total: 0 });
    return await this.#runtime.pull(tagged, {
      annotations,
      runtimeHandler,
      credentials,
      signal,
      onProgress: (progress) => {
        this.#sizes.learn(tagged, progress.total);
        ticket.progress(progress);
        onProgress?.(progress);
      },
    });
  }

  #refuseInBackOff(call: EnsureCall, decision: PullDecision): EnsureFailure {
    const text = `Back-off pulling image ${goQuote(call.request.image)}`;
    call.tell({ type: "Normal", reason: "BackOff", message: text });
    const why = this.#failures.whyWaiting(call);
    const message = why === undefined ? text : `${text}: ${why.text}`;
    const retryAt = this.#failures.retryAt(call);
    return { state: "failed", decision, reason: "ImagePullBackOff", message, retryAt, detail: why?.detail };
  }

  #failPull(call: EnsureCall, decision: PullDecision, cause: unknown): EnsureFailure {
    const { image } = call.request;
    const text = messageOf(cause);
    call.tell({
      type: "Warning",
      reason: "Failed",
      message: `Failed to pull image ${goQuote(image)}: ${text}`,
    });
    const { reason, message } = classifyPullError(text, image);
    const detail = judgeFailure(cause);
    this.#failures.failed(call, { text: `${reason}: ${message}`, detail });
    // Nothing to wait for: what it failed for changed while it was under way.
    const retryAt = this.#failures.retryAt(call) ?? this.#now();
    return { state: "failed", decision, reason, message, retryAt, detail, cause };
  }
}
