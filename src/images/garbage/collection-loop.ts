import { messageOf } from "../message-of.ts";
import { isCollectionOff } from "./gc-policy.ts";
import type { ImageCollector, NodeEvent } from "./image-collector.ts";
import type { ImageListCache } from "./image-list-cache.ts";

export interface CollectionLoopOptions {
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves after so many milliseconds; rejects when the signal is aborted. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** An event about the node: from the second failure in a row on. */
  readonly onEvent?: ((event: NodeEvent) => void) | undefined;
  /** Refreshed every half minute. */
  readonly cache?: ImageListCache | undefined;
  /** Told of every failure, of looking as of collecting. */
  readonly onFailure?: ((message: string, cause: unknown) => void) | undefined;
}

const PERIOD = 300_000;
const CACHE_PERIOD = 30_000;

/** Looks at once and every five minutes, and collects as often. Resolves when the signal is aborted. */
export async function runCollection(
  collector: ImageCollector,
  options: CollectionLoopOptions,
): Promise<void> {
  const { signal, now, onEvent, onFailure } = options;
  const beganGc = now();
  let failedBefore = false;
  const detect = async (): Promise<void> => {
    try {
      await collector.detect(now(), { signal });
    } catch (error) {
      if (!signal.aborted) onFailure?.(`failed to look at images: ${messageOf(error)}`, error);
    }
  };
  const collect = async (): Promise<void> => {
    try {
      await collector.collect(beganGc, { signal });
      failedBefore = false;
    } catch (error) {
      if (signal.aborted) return;
      const message = messageOf(error);
      onFailure?.(message, error);
      if (failedBefore) onEvent?.({ type: "Warning", reason: "ImageGCFailed", message });
      failedBefore = true;
    }
  };
  const refresh = async (cache: ImageListCache): Promise<void> => {
    try {
      await cache.refresh({ signal });
    } catch (error) {
      if (!signal.aborted) onFailure?.(`failed to list images: ${messageOf(error)}`, error);
    }
  };
  const { cache } = options;
  await Promise.all([
    repeat(detect, PERIOD, options),
    ...(isCollectionOff(collector.policy) ? [] : [repeat(collect, PERIOD, options)]),
    ...(cache === undefined ? [] : [repeat(() => refresh(cache), CACHE_PERIOD, options)]),
  ]);
}

async function repeat(
  task: () => Promise<void>,
  period: number,
  { signal, wait }: CollectionLoopOptions,
): Promise<void> {
  while (!signal.aborted) {
    await task();
    try {
      await wait(period, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
