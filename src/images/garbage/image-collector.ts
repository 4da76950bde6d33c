/**
 * Removes images that nobody uses, when the disk fills up or they have been unused for too long.
 *
 * ```text
 * every 5 min   detect()    which images are here, which are in use
 * every 5 min   collect()   too old? ──► remove    disk full? ──► remove, least recently used first
 * on pressure   deleteUnused()
 * ```
 */
import { formatDuration } from "../../internal/go/duration.ts";
import { aggregate } from "../../internal/kubernetes/field-error.ts";
import { messageOf } from "../message-of.ts";
import { ImagesError } from "../errors.ts";
import type { ImageService } from "../image-service.ts";
import { METRICS, type MetricSink, NO_METRICS } from "../metrics.ts";
import { formatSize } from "./format-size.ts";
import { checkGcPolicy, type GcPolicy } from "./gc-policy.ts";
import { type ImageRecord, ImageRecords, type UsedImage } from "./image-records.ts";
import {
  agesCount,
  assessDisk,
  byEvictionOrder,
  type Candidate,
  type DiskNeed,
  type GcTimes,
  isTooOld,
  judgeEligibility,
  judgeForSpace,
} from "./judge-image.ts";
import { type CollectionPlan, planCollection } from "./plan-collection.ts";

/** An event about the node. */
export interface NodeEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: "ImageGCFailed" | "FreeDiskSpaceFailed" | "InvalidDiskCapacity" | "InvalidImageID";
  readonly message: string;
}

/** Runs after a collection for space, with the ids of candidates that stayed. */
export type PostGcHook = (remaining: readonly string[], freeTime: number) => Promise<void>;

export interface ImageCollectorOptions {
  readonly images: Pick<ImageService, "list" | "remove" | "fileSystem">;
  /** Images of all containers, exited ones too, and of all image volumes. */
  readonly listUsed: (options: {
    readonly signal?: AbortSignal | undefined;
  }) => Promise<readonly UsedImage[]>;
  readonly policy: GcPolicy;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Whether runtime handlers keep images apart. */
  readonly byHandler?: boolean | undefined;
  readonly hooks?: readonly PostGcHook[] | undefined;
  readonly onEvent?: ((event: NodeEvent) => void) | undefined;
  readonly metrics?: MetricSink | undefined;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What making room came to. */
export interface Freed {
  readonly bytes: number;
  /** Candidates that were passed over before there was enough. */
  readonly remaining: readonly string[];
}

const ALL = Number.POSITIVE_INFINITY;

export class ImageCollector {
  readonly #options: ImageCollectorOptions;
  readonly #metrics: MetricSink;
  readonly #records: ImageRecords;

  /** @throws ImagesError `GC_POLICY_INVALID` */
  constructor(options: ImageCollectorOptions) {
    checkGcPolicy(options.policy);
    this.#options = options;
    this.#metrics = options.metrics ?? NO_METRICS;
    this.#records = new ImageRecords({ byHandler: options.byHandler });
  }

  get policy(): GcPolicy {
    return this.#options.policy;
  }

  /** What is known of the images that were here at the last look. */
  get records(): readonly ImageRecord[] {
    return this.#records.all;
  }

  /** Looks at what is here and what is in use; returns the keys in use. */
  async detect(detectTime: number, options: CallOptions = {}): Promise<ReadonlySet<string>> {
    const images = await this.#options.images.list(options);
    const used = await this.#options.listUsed(options);
    return this.#records.observe({ images, used, detectTime, now: this.#options.now() });
  }

  /** What may be removed, the first to go first. */
  async evictionOrder(freeTime: number, options: CallOptions = {}): Promise<readonly Candidate[]> {
    const inUse = await this.detect(freeTime, options);
    const candidates: Candidate[] = [];
    for (const record of this.#records.all) {
      const id = this.#records.idOf(record.key);
      const verdict = judgeEligibility(record, { inUse, id });
      if (verdict === undefined) candidates.push({ ...record, id });
      else if (verdict.because === "id-invalid") {
        const message = `ImageID is not valid, skipping, image: ${record.key}`;
        this.#tell({ type: "Warning", reason: "InvalidImageID", message });
      }
    }
    return candidates.sort(byEvictionOrder);
  }

  /**
   * Removes what is too old, then what must go to make room.
   *
   * @param beganGc when collecting began on this node
   * @throws ImagesError `GC_FAILED` with the kubelet's message
   */
  async collect(beganGc: number, options: CallOptions = {}): Promise<void> {
    const freeTime = this.#options.now();
    const all = await this.evictionOrder(freeTime, options);
    const candidates = await this.freeOld(all, { freeTime, beganGc }, options);
    const stats = await this.#options.images.fileSystem(options);
    const disk = assessDisk(stats, this.policy);
    if (disk === undefined) {
      const message = "invalid capacity 0 on image filesystem";
      this.#tell({ type: "Warning", reason: "InvalidDiskCapacity", message });
      throw new ImagesError("GC_FAILED", message);
    }
    if (!disk.isAboveThreshold) return;
    const freed = await this.freeSpace(disk.bytesToFree, { candidates, freeTime, ...options });
    await this.#runHooks(freed.remaining, freeTime);
    if (freed.bytes >= disk.bytesToFree) return;
    const message = describeShortage(disk, freed.bytes);
    this.#tell({ type: "Warning", reason: "FreeDiskSpaceFailed", message });
    throw new ImagesError("GC_FAILED", message);
  }

  /** What {@link collect} would do now, and why each image would stay or go. Nothing is removed, nothing is told. */
  async plan(beganGc: number, options: CallOptions = {}): Promise<CollectionPlan> {
    const freeTime = this.#options.now();
    const inUse = await this.detect(freeTime, options);
    return planCollection({
      records: this.#records.all,
      inUse,
      idOf: ({ key }) => this.#records.idOf(key),
      policy: this.policy,
      fileSystem: await this.#options.images.fileSystem(options),
      times: { freeTime, beganGc },
    });
  }

  /** Removes all that nobody uses and that isn't too young, whatever the disk says. */
  async deleteUnused(options: CallOptions = {}): Promise<void> {
    const freeTime = this.#options.now();
    const candidates = await this.evictionOrder(freeTime, options);
    const { remaining } = await this.freeSpace(ALL, { candidates, freeTime, ...options });
    await this.#runHooks(remaining, freeTime);
  }

  /** Removes what was unused for too long; returns the candidates that are left. */
  async freeOld(
    candidates: readonly Candidate[],
    times: GcTimes,
    options: CallOptions = {},
  ): Promise<readonly Candidate[]> {
    if (!agesCount(this.policy, times)) return candidates;
    const left: Candidate[] = [];
    const errors: unknown[] = [];
    for (const candidate of candidates) {
      if (!isTooOld(candidate, this.policy, times)) {
        left.push(candidate);
        continue;
      }
      try {
        await this.#remove(candidate, "age", options);
      } catch (error) {
        left.push(candidate);
        errors.push(error);
      }
    }
    if (errors.length === 0) return left;
    const age = formatDuration(BigInt(Math.round(this.policy.maxAge * 1e6)));
    throw new ImagesError(
      "GC_FAILED",
      `wanted to free images older than ${age}, encountered errors in image deletion: ${aggregate(errors.map(messageOf))}`,
      { cause: new AggregateError(errors) },
    );
  }

  /** Removes candidates in their order until so many bytes are free. */
  async freeSpace(
    bytesToFree: number,
    work: CallOptions & { readonly candidates: readonly Candidate[]; readonly freeTime: number },
  ): Promise<Freed> {
    const remaining: string[] = [];
    const errors: unknown[] = [];
    let bytes = 0;
    for (const candidate of work.candidates) {
      if (judgeForSpace(candidate, this.policy, work.freeTime).action === "keep") {
        remaining.push(candidate.id);
        continue;
      }
      try {
        await this.#remove(candidate, "space", work);
      } catch (error) {
        remaining.push(candidate.id);
        errors.push(error);
        continue;
      }
      bytes += candidate.size;
      if (bytes >= bytesToFree) break;
    }
    if (errors.length === 0) return { bytes, remaining };
    const wanted = bytesToFree === ALL ? "9223372036854775807" : String(bytesToFree);
    throw new ImagesError(
      "GC_FAILED",
      `wanted to free ${wanted} bytes, but freed ${bytes} bytes space with errors in image deletion: ${aggregate(errors.map(messageOf))}`,
      { cause: new AggregateError(errors) },
    );
  }

  async #remove(candidate: Candidate, reason: "age" | "space", { signal }: CallOptions): Promise<void> {
    signal?.throwIfAborted();
    await this.#options.images.remove(candidate.id, { signal });
    this.#records.forget(candidate.key);
    this.#metrics.count(METRICS.collected, { reason });
  }

  async #runHooks(remaining: readonly string[], freeTime: number): Promise<void> {
    for (const hook of this.#options.hooks ?? []) await hook(remaining, freeTime);
  }

  #tell(event: NodeEvent): void {
    this.#options.onEvent?.(event);
  }
}

function describeShortage({ usagePercent, capacity }: DiskNeed, freed: number): string {
  const usage = `${usagePercent}% of ${formatSize(capacity)} used`;
  const outcome = `Failed to free sufficient space by deleting unused images (freed ${freed} bytes)`;
  const advice = "Investigate disk usage, as it could be used by active images, logs, volumes, or other data";
  return `Insufficient free disk space on the node's image filesystem (${usage}). ${outcome}. ${advice}.`;
}
