/**
 * Every pull under way, told to whoever wants to know.
 *
 * ```text
 * queued ──► resolving ──► fetching ──► done | failed | cancelled
 * ```
 *
 * Listeners hear of every change of phase, and of bytes and places at most ten times a second. Readers of the stream
 * get the latest of each pull: one who is slow misses steps in between, and never makes anything pile up.
 */
import type { ContentProgress, PullProgress } from "./image-runtime.ts";
import type { PullRank } from "./pull-queue.ts";

export type PullPhase = "queued" | "resolving" | "fetching" | "done" | "failed" | "cancelled";

/** One pull of one container's image at one moment. */
export interface PullReport {
  /** Tells pulls apart, also those of the same image for the same Pod. */
  readonly id: number;
  readonly image: string;
  readonly podUid: string;
  readonly phase: PullPhase;
  /** From 1, while it is queued. */
  readonly place: number | undefined;
  readonly bytes: number;
  /** 0 until the manifest is known. */
  readonly total: number;
  /** Manifests, config and layers, where the runtime tells. */
  readonly contents: readonly ContentProgress[];
  /** Bytes a second over the last seconds. */
  readonly rate: number | undefined;
  /** Milliseconds, if it goes on like this. */
  readonly timeLeft: number | undefined;
}

export type PullListener = (report: PullReport) => void;

/** What a pull tells of itself. */
export interface PullTicket {
  /** It has come to the queue, and may have to wait there. */
  queued(): void;
  started(): void;
  progress(progress: PullProgress): void;
  end(phase: "done" | "failed" | "cancelled"): void;
}

export interface PullBoardOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Who waits, in order. */
  readonly waiting: () => readonly PullRank[];
}

/** Milliseconds between two reports of one pull that say only how far it is. */
const INTERVAL = 100;
/** Milliseconds after which an older rate counts for a third. */
const MEMORY = 3000;
/** Reports one reader may have outstanding. */
const MAX_PENDING = 1024;

export class PullBoard {
  readonly #options: PullBoardOptions;
  readonly #pulls = new Set<Pull>();
  readonly #listeners = new Set<PullListener>();
  #lastId = 0;
  #placesToldAt = Number.NEGATIVE_INFINITY;

  constructor(options: PullBoardOptions) {
    this.#options = options;
  }

  begin(pull: { readonly image: string; readonly podUid: string; readonly rank: PullRank }): PullTicket {
    const entry = new Pull({ ...pull, id: ++this.#lastId });
    this.#pulls.add(entry);
    const { now } = this.#options;
    return {
      queued: () => this.#tell(entry),
      started: () => {
        entry.phase = "resolving";
        this.#tell(entry);
        this.#tellPlaces();
      },
      progress: (progress) => {
        if (progress.total > 0 && entry.phase === "resolving") entry.phase = "fetching";
        entry.measure(progress, now());
        this.#tell(entry);
      },
      end: (phase) => {
        entry.phase = phase;
        this.#pulls.delete(entry);
        this.#tell(entry);
      },
    };
  }

  /** Hears the state of every pull now, and what changes from then on. Must not throw. Returns what ends it. */
  subscribe(listener: PullListener): () => void {
    const places = this.#places();
    for (const pull of this.#pulls) listener(pull.report(places.get(pull.rank)));
    // A function may be subscribed twice, and unsubscribed once.
    const own: PullListener = (report) => listener(report);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  async *reports(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncGenerator<PullReport> {
    const { signal } = options;
    const pending = new Map<number, PullReport>();
    let wake = (): void => {};
    const unsubscribe = this.subscribe((report) => {
      pending.delete(report.id);
      pending.set(report.id, report);
      if (pending.size > MAX_PENDING) pending.delete(pending.keys().next().value as number);
      wake();
    });
    const onAbort = (): void => wake();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      while (signal?.aborted !== true) {
        const next = pending.entries().next().value;
        if (next === undefined) {
          await new Promise<void>((resolve) => (wake = resolve));
          continue;
        }
        pending.delete(next[0]);
        yield next[1];
      }
    } finally {
      signal?.removeEventListener("abort", onAbort);
      unsubscribe();
    }
  }

  #tell(pull: Pull): void {
    if (this.#listeners.size === 0 || !pull.isDue(this.#options.now())) return;
    this.#send(pull, pull.phase === "queued" ? this.#places().get(pull.rank) : undefined);
  }

  /** Everybody behind has moved up. */
  #tellPlaces(): void {
    const now = this.#options.now();
    if (this.#listeners.size === 0 || now - this.#placesToldAt < INTERVAL) return;
    this.#placesToldAt = now;
    const places = this.#places();
    for (const pull of this.#pulls) if (pull.phase === "queued") this.#send(pull, places.get(pull.rank));
  }

  #send(pull: Pull, place: number | undefined): void {
    const report = pull.report(place);
    for (const listener of this.#listeners) listener(report);
  }

  #places(): ReadonlyMap<PullRank, number> {
    return new Map(this.#options.waiting().map((rank, index) => [rank, index + 1]));
  }
}

class Pull {
  readonly rank: PullRank;
  phase: PullPhase = "queued";
  readonly #about: Pick<PullReport, "id" | "image" | "podUid">;
  #progress: PullProgress = { bytes: 0, total: 0 };
  #toldPhase: PullPhase | undefined;
  #toldAt = 0;
  /** What the rate was last reckoned from. */
  #measured: { readonly bytes: number; readonly at: number } | undefined;
  #rate: number | undefined;

  constructor({ rank, ...about }: Pick<PullReport, "id" | "image" | "podUid"> & { readonly rank: PullRank }) {
    this.rank = rank;
    this.#about = about;
  }

  measure(progress: PullProgress, now: number): void {
    this.#progress = progress;
    if (progress.total === 0) return;
    // What was here before counts for no speed.
    this.#measured ??= { bytes: progress.bytes, at: now };
    const span = now - this.#measured.at;
    if (span < INTERVAL) return;
    const rate = ((progress.bytes - this.#measured.bytes) / span) * 1000;
    this.#rate =
      this.#rate === undefined ? rate : this.#rate + (rate - this.#rate) * (1 - Math.exp(-span / MEMORY));
    this.#measured = { bytes: progress.bytes, at: now };
  }

  isDue(now: number): boolean {
    if (this.phase === this.#toldPhase && now - this.#toldAt < INTERVAL) return false;
    this.#toldPhase = this.phase;
    this.#toldAt = now;
    return true;
  }

  report(place: number | undefined): PullReport {
    const { bytes, total, contents = [] } = this.#progress;
    const rate = this.phase === "fetching" ? this.#rate : undefined;
    const timeLeft = rate === undefined || rate <= 0 ? undefined : ((total - bytes) / rate) * 1000;
    return {
      ...this.#about,
      phase: this.phase,
      place: this.phase === "queued" ? place : undefined,
      bytes,
      total,
      contents: contents.map((content) => ({ ...content })),
      rate,
      timeLeft,
    };
  }
}
