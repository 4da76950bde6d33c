import { type MetricSink, PullBoard, type PullProgress, type PullReport } from "../images/index.ts";
import { CRI_METRICS } from "./metrics.ts";

export interface RunningPull {
  progress(progress: PullProgress): void;
  end(phase: "done" | "failed" | "cancelled"): void;
}

export interface RunningPullsOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly metrics?: MetricSink | undefined;
}

/** The pulls of a service: each call is one, also where several share one operation. */
export class RunningPulls {
  readonly #board: PullBoard;
  readonly #metrics: MetricSink | undefined;
  #running = 0;

  constructor({ now, metrics }: RunningPullsOptions) {
    this.#metrics = metrics;
    this.#board = new PullBoard({ now, waiting: () => [] });
  }

  begin(pull: { readonly image: string; readonly podUid: string }): RunningPull {
    const ticket = this.#board.begin({ ...pull, rank: { priority: 0, size: undefined } });
    this.#count(1);
    ticket.started();
    let bytes = 0;
    return {
      progress: (progress) => {
        bytes = progress.bytes;
        ticket.progress(progress);
      },
      end: (phase) => {
        this.#count(-1);
        this.#metrics?.observe(CRI_METRICS.bytes, bytes, { result: phase });
        ticket.end(phase);
      },
    };
  }

  /** How every pull is now. */
  list(): readonly PullReport[] {
    const reports: PullReport[] = [];
    this.#board.subscribe((report) => reports.push(report))();
    return reports;
  }

  /** How every pull is now, then each step; who is slow misses steps in between. */
  watch(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncGenerator<PullReport> {
    return this.#board.reports(options);
  }

  #count(change: 1 | -1): void {
    this.#running += change;
    this.#metrics?.set(CRI_METRICS.pulls, this.#running);
  }
}
