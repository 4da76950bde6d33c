import type { MirrorEvent } from "../../registry/index.ts";
import type { MetricText } from "./metric-text.ts";

const EVENTS = {
  hit: ["hits_total", "Answers from what was here already"],
  fetched: ["fetched_total", "Manifests and blobs that were brought here"],
  stale: ["stale_total", "Answers from what was here because the upstream could not be asked"],
  moved: ["moved_tags_total", "Tags that stood for something else when the upstream was asked"],
  failed: ["failures_total", "Questions that the upstream did not answer"],
  evicted: ["evicted_total", "Blobs that left to keep within the size of the cache"],
} as const satisfies Record<MirrorEvent["type"], readonly [string, string]>;

type Tally = Record<MirrorEvent["type"] | "fetchedBytes" | "resumedBytes" | "evictedBytes", number>;

/** What a mirror did, by the registry that it mirrors. */
export class MirrorCounts {
  readonly #tallies = new Map<string, Tally>();

  count(event: MirrorEvent, registry: string): void {
    let tally = this.#tallies.get(registry);
    if (tally === undefined) this.#tallies.set(registry, (tally = emptyTally()));
    tally[event.type]++;
    if (event.type === "fetched") {
      tally.fetchedBytes += event.bytes;
      tally.resumedBytes += event.resumed;
    }
    if (event.type === "evicted") tally.evictedBytes += event.bytes;
  }

  addTo(text: MetricText): void {
    const add = (rest: string, help: string, of: keyof Tally): void => {
      text.begin(`dray_registry_mirror_${rest}`, "counter", help);
      for (const [upstream, tally] of this.#tallies) text.add({ upstream }, tally[of]);
    };
    for (const [type, [name, help]] of Object.entries(EVENTS)) add(name, help, type as MirrorEvent["type"]);
    add("fetched_bytes_total", "Bytes that came from the upstream", "fetchedBytes");
    add("resumed_bytes_total", "Bytes that an earlier attempt had brought", "resumedBytes");
    add("evicted_bytes_total", "Bytes that left to keep within the size of the cache", "evictedBytes");
  }
}

function emptyTally(): Tally {
  const counts = { hit: 0, fetched: 0, stale: 0, moved: 0, failed: 0, evicted: 0 };
  return { ...counts, fetchedBytes: 0, resumedBytes: 0, evictedBytes: 0 };
}
