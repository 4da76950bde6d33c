import { CriError } from "./errors.ts";

export interface StallGuardOptions {
  /** Milliseconds without news after which the work is given up; 0 waits for ever. */
  readonly timeout: number;
  /** What the work is, for the message: `pull "busybox"`. */
  readonly action: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs work that tells of its progress, and gives it up when it has told nothing new for too long.
 *
 * @throws CriError `PULL_STALLED`
 */
export async function guardAgainstStalls<T>(
  work: (signal: AbortSignal, moved: (bytes: number) => void) => Promise<T>,
  { timeout, action, signal }: StallGuardOptions,
): Promise<T> {
  const controller = new AbortController();
  const { signal: given } = controller;
  const combined = signal === undefined ? given : AbortSignal.any([given, signal]);
  if (timeout === 0) return await work(combined, () => {});
  const giveUp = (): void => {
    const seconds = Math.round(timeout / 1000);
    controller.abort(new CriError("PULL_STALLED", `Cannot ${action}: no byte came for ${seconds} s`));
  };
  const timer = setTimeout(giveUp, timeout);
  let last = -1;
  try {
    return await work(combined, (bytes) => {
      if (bytes === last) return;
      last = bytes;
      timer.refresh();
    });
  } finally {
    clearTimeout(timer);
  }
}
