import type { CollectResult } from "../../registry/index.ts";
import type { MetricText } from "./metric-text.ts";

/** How the collections of this process went, those that somebody asks another process for left out. */
export class CollectionCounts {
  readonly #clock: () => number;
  readonly #runs = { finished: 0, unfinished: 0, failed: 0 };
  #seconds = 0;
  #blobs = 0;
  #bytes = 0;
  #tags = 0;
  #manifests = 0;
  #lastSeconds = 0;
  /** Seconds since the epoch. */
  #lastFinished: number | undefined;

  /** `clock`: milliseconds since the epoch. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  count({ retained, collected, duration }: CollectResult): void {
    const finished = collected.finished && retained?.finished !== false;
    this.#runs[finished ? "finished" : "unfinished"]++;
    this.#lastSeconds = duration / 1_000;
    this.#seconds += this.#lastSeconds;
    this.#blobs += collected.freed.count;
    this.#bytes += collected.freed.bytes;
    for (const { tags, manifests } of retained?.repositories.values() ?? []) {
      this.#tags += tags;
      this.#manifests += manifests;
    }
    if (finished) this.#lastFinished = this.#clock() / 1_000;
  }

  countFailed(): void {
    this.#runs.failed++;
  }

  addTo(text: MetricText): void {
    const name = (rest: string): string => `dray_registry_collection_${rest}`;
    text.begin(name("runs_total"), "counter", "Collections of garbage, by how they ended");
    for (const [result, count] of Object.entries(this.#runs)) text.add({ result }, count);
    const counter = (rest: string, help: string, value: number): void => {
      text.begin(name(rest), "counter", help);
      text.add({}, value);
    };
    counter("seconds_total", "Time that collections took", this.#seconds);
    counter("freed_blobs_total", "Blobs that collections took from the disk", this.#blobs);
    counter("freed_bytes_total", "Their bytes", this.#bytes);
    counter("retired_tags_total", "Tags that no rule of retention kept", this.#tags);
    counter("retired_manifests_total", "Manifests that no rule of retention kept", this.#manifests);
    if (this.#runs.finished + this.#runs.unfinished > 0) {
      text.single(name("last_duration_seconds"), "How long the last collection took", this.#lastSeconds);
    }
    if (this.#lastFinished !== undefined) {
      const help = "When a collection last came to its end";
      text.single(name("last_success_timestamp_seconds"), help, this.#lastFinished);
    }
  }
}
