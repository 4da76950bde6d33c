import type { NodePod } from "./pod-source.ts";

/** A Pod between two looks. */
export interface Rest {
  readonly pod: NodePod;
  /** Looks there were; 0 for a Pod that has just come. */
  readonly looks: number;
  /** Whether nothing was left to do. */
  readonly complete: boolean;
  /** Resolves when something happened that deserves a look. */
  readonly woken: Promise<void>;
  readonly signal: AbortSignal;
}

/** Resolves when the Pod is to be looked at. */
export type Pace = (rest: Rest) => Promise<void>;

/** Milliseconds after which a Pod with failures is looked at again, and the share of it that is random on top. */
const RETRY_AFTER = 10_000;
const RETRY_JITTER = 0.5;
/** The kubelet's second look comes sooner: the Pod's own sandbox starting wakes it. It finds the back-off. */
const SECOND_LOOK = 1000;

/**
 * As the kubelet: at once when a Pod comes, after 10 to 15 seconds where something failed, and whenever something
 * happened.
 */
export function kubeletPace(options: {
  /** Resolves after so many milliseconds; rejects when the signal is aborted. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** In [0, 1). */
  readonly random: () => number;
}): Pace {
  const { wait, random } = options;
  return async ({ looks, complete, woken, signal }) => {
    if (looks === 0) return;
    if (complete) return await woken;
    const delay = looks === 1 ? SECOND_LOOK : RETRY_AFTER * (1 + RETRY_JITTER * random());
    const over = new AbortController();
    const elapsed = wait(delay, AbortSignal.any([signal, over.signal])).catch(() => {});
    await Promise.race([elapsed, woken]);
    over.abort();
  };
}
