import type { BlobStore } from "../../store/index.ts";
import type { Limits } from "../limits.ts";
import type { RegistryMetadata } from "../metadata.ts";
import { collectGarbage, type CollectGarbageResult, type CollectVerdict } from "./collect.ts";
import { Foresight, type Foreseen } from "./foresee.ts";
import { Pace } from "./pace.ts";
import { retain, type RetainResult, type RetainVerdict } from "./retain.ts";
import { openRetention, type Retention, type RetentionRule } from "./retention.ts";

/** How a registry keeps itself tidy. */
export interface CollectionSettings {
  /** Milliseconds between two runs; without it nothing is collected unless somebody asks. */
  readonly every?: number | undefined;
  /** Milliseconds for which whatever somebody pushed or was told of stays; an hour by default. */
  readonly grace?: number | undefined;
  /** Which tags and untagged manifests stay; all of them by default. */
  readonly retention?: readonly RetentionRule[] | undefined;
  /** Whether bytes go, too; no where others keep theirs in the same store. Yes by default. */
  readonly deleteContent?: boolean | undefined;
  /** Milliseconds of work after which a run pauses, and for how long; 10 and 20 by default. */
  readonly workTime?: number | undefined;
  readonly pauseTime?: number | undefined;
  /** Milliseconds after which a run leaves the rest to the next one. */
  readonly timeLimit?: number | undefined;
}

export interface CollectOptions {
  /** Only say what would go; no by default. */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onVerdict?: ((verdict: CollectVerdict | RetainVerdict) => void) | undefined;
}

export interface CollectResult {
  /** `undefined` without rules. */
  readonly retained: RetainResult | undefined;
  readonly collected: CollectGarbageResult;
  /** Of a dry run: what goes afterwards, by repository, once its time of grace is over. */
  readonly later?: ReadonlyMap<string, Foreseen> | undefined;
  /** Milliseconds, pauses included. */
  readonly duration: number;
}

export interface CollectorOptions {
  readonly blobs: BlobStore;
  readonly metadata: RegistryMetadata;
  readonly limits: Limits;
  readonly clock: () => number;
  readonly settings: CollectionSettings;
  /** Told of scheduled runs, good and bad. */
  readonly onRun?: ((result: CollectResult) => void) | undefined;
  /** Told of scheduled runs that failed, besides `onFailure`. */
  readonly onRunFailed?: ((error: unknown) => void) | undefined;
  readonly onFailure: (error: unknown) => void;
}

/** Runs retention and collection, one run at a time, when asked and now and then. */
export class Collector {
  readonly #options: CollectorOptions;
  #settings: CollectionSettings = {};
  #rules: ((repository: string) => Retention | undefined) | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #stop = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** @throws RegistryError `CONFIG_INVALID` */
  constructor(options: CollectorOptions) {
    this.#options = options;
    this.configure(options.settings);
  }

  /**
   * Goes by other settings from the next run on.
   *
   * @throws RegistryError `CONFIG_INVALID`; then those before go on
   */
  configure(settings: CollectionSettings): void {
    const { every = 0, retention = [] } = settings;
    this.#rules = retention.length === 0 ? undefined : openRetention(retention);
    const before = this.#settings.every ?? 0;
    this.#settings = settings;
    // Whoever changes something else often must not put the next run off for ever.
    if (every === before) return;
    clearInterval(this.#timer);
    this.#timer = every > 0 ? setInterval(() => void this.#runScheduled(), every).unref() : undefined;
  }

  async run(options: CollectOptions = {}): Promise<CollectResult> {
    this.#waiting++;
    const turn = this.#last.then(() => this.#run(options));
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#last;
  }

  async #run(options: CollectOptions): Promise<CollectResult> {
    const { blobs, metadata, limits, clock } = this.#options;
    const settings = this.#settings;
    const started = performance.now();
    const signals = [this.#stop.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const foresight = options.dryRun === true ? new Foresight() : undefined;
    const onVerdict: CollectOptions["onVerdict"] =
      foresight === undefined
        ? options.onVerdict
        : (verdict) => {
            foresight.note(verdict);
            options.onVerdict?.(verdict);
          };
    const all = { ...settings, ...options, onVerdict, signal: AbortSignal.any(signals) };
    const rules = this.#rules;
    const retained =
      rules === undefined ? undefined : await retain({ metadata, clock, limits }, { ...all, rules });
    const collected = await collectGarbage({ blobs, metadata, clock }, all);
    const scope = { blobs, metadata, rules: rules ?? ((): undefined => undefined), pace: new Pace(all) };
    const later = await foresight?.work(scope);
    return { retained, collected, later, duration: performance.now() - started };
  }

  async #runScheduled(): Promise<void> {
    // The one that takes so long does this one's work.
    if (this.#waiting > 0) return;
    try {
      this.#options.onRun?.(await this.run());
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#options.onRunFailed?.(error);
      this.#options.onFailure(error);
    }
  }
}
