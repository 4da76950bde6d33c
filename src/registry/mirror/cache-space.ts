import type { RegistryContext } from "../context.ts";
import { TOUCH_INTERVAL } from "../../store/index.ts";
import type { MirrorEvent } from "./events.ts";
import { USE_INTERVAL, type MirrorState, type UsedBlob } from "./state.ts";

/** Blobs looked at in one go. */
const BATCH = 50;
/** Who was told of a blob this lately may be about to count on it. */
const GRACE = 2 * Math.max(USE_INTERVAL, TOUCH_INTERVAL);

export interface CacheSpaceOptions {
  readonly state: MirrorState;
  /** Bytes; no limit without. */
  readonly limit: number | undefined;
  readonly clock: () => number;
  readonly onEvent: (event: MirrorEvent) => void;
  readonly onFailure: (error: unknown) => void;
}

type Places = Pick<RegistryContext, "blobs" | "metadata">;

/**
 * Keeps the blobs of upstreams within a number of bytes: those not used for the longest time leave their repository,
 * and the disk where no other one shows them. What was used within two minutes stays, whatever the limit.
 */
export class CacheSpace {
  readonly #options: CacheSpaceOptions;
  #working: Promise<void> = Promise.resolve();
  #queued = false;
  #closed = false;

  constructor(options: CacheSpaceOptions) {
    this.#options = options;
  }

  /** Begins to make room where it is needed, one run at a time. */
  makeRoom(places: Places): void {
    if (this.#options.limit === undefined || this.#queued) return;
    this.#queued = true;
    this.#working = this.#working.then(async () => {
      this.#queued = false;
      try {
        await this.#run(places);
      } catch (error) {
        this.#options.onFailure(error);
      }
    });
  }

  /** Resolves when nothing is left to do. */
  settled(): Promise<void> {
    return this.#working;
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#working;
  }

  async #run(places: Places): Promise<void> {
    const { state, limit = Number.POSITIVE_INFINITY, clock } = this.#options;
    let bytes = state.countBytes();
    while (bytes > limit) {
      const batch = state.listLeastUsed(BATCH);
      if (batch.length === 0) return;
      for (const blob of batch) {
        if (this.#closed || bytes <= limit || blob.usedAt > clock() - GRACE) return;
        await this.#evict(places, blob);
        if (!state.hasBlob(blob.digest)) bytes -= blob.size;
      }
    }
  }

  async #evict({ blobs, metadata }: Places, blob: UsedBlob): Promise<void> {
    const { state, clock, onEvent } = this.#options;
    const { repository, digest, size } = blob;
    await metadata.unlinkBlob(repository, digest);
    state.forgetBlob(repository, digest);
    onEvent({ type: "evicted", repository, digest, bytes: size });
    if ((await metadata.garbage.countShown(digest)) > 0) return;
    const now = clock();
    // Somebody who is about to show it has touched it: then it stays, and is the collection's.
    if (await blobs.delete(digest, { unusedSince: now - GRACE })) {
      await metadata.garbage.forgetUnshown(digest, now);
    }
  }
}
