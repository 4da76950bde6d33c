import { messageOf } from "../message-of.ts";
import { CachedShelf } from "./cached-shelf.ts";
import type { ImagePulledRecord, ImagePullIntent } from "./record.ts";
import type { PullRecords } from "./record-shelf.ts";

export interface CachedPullRecordsOptions {
  readonly intents: number;
  readonly pulled: number;
  readonly stripes?: number | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly onUsage?: ((kind: "intents" | "pulled", percent: number) => void) | undefined;
}

/** How many records a node of this size keeps in memory, and by how many locks. */
export function cacheSizes(limits: {
  readonly maxPods: number;
  /** 0 is no limit. */
  readonly maxParallelPulls: number;
}): { readonly intents: number; readonly pulled: number; readonly stripes: number } {
  const { maxPods, maxParallelPulls } = limits;
  return {
    intents: Math.min(Math.max(2 * maxPods, 2 * maxParallelPulls), 1024),
    pulled: Math.min(5 * maxPods, 2000),
    stripes: maxParallelPulls,
  };
}

/** Pull records held in memory before those below. */
export class CachedPullRecords implements PullRecords {
  readonly intents: CachedShelf<ImagePullIntent>;
  readonly pulled: CachedShelf<ImagePulledRecord>;

  private constructor(below: PullRecords, options: CachedPullRecordsOptions) {
    const { stripes, onUsage } = options;
    this.intents = new CachedShelf(below.intents, {
      capacity: options.intents,
      keyOf: (intent) => intent.image,
      stripes,
      onUsage: onUsage && ((percent) => onUsage("intents", percent)),
    });
    this.pulled = new CachedShelf(below.pulled, {
      capacity: options.pulled,
      keyOf: (record) => record.imageRef,
      stripes,
      onUsage: onUsage && ((percent) => onUsage("pulled", percent)),
    });
  }

  /** Reads everything once; what can't be read is told, and no reason to stop. */
  static async open(below: PullRecords, options: CachedPullRecordsOptions): Promise<CachedPullRecords> {
    const records = new CachedPullRecords(below, options);
    for (const shelf of [records.intents, records.pulled]) {
      const { error } = await shelf.list();
      if (error !== undefined) options.onWarning?.(messageOf(error));
    }
    return records;
  }
}
