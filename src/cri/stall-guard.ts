import { CriError } from "./errors.ts";

export interface StallGuardOptions {
  /** Milliseconds without news after which the work is given up; 0 waits for ever. */
  readonly timeout: number;
  /** Milliseconds after which it is given up whatever it tells; 0, the default, never does. */
  readonly deadline?: number | undefined;
  /** What the work is, for the message: `pull "busybox"`. */
  readonly action: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs work that tells of its progress, and gives it up when it has told nothing new for too long, or takes too long
 * altogether.
 *
 * @throws CriError `PULL_STALLED`, `PULL_OVERDUE`
 */
export async function guardAgainstStalls<T>(
  work: (signal: AbortSignal, moved: (bytes: number) => void) => Promise<T>,
  { timeout, deadline = 0, action, signal }: StallGuardOptions,
): Promise<T> {
  const controller = new AbortController();
  const { signal: given } = controller;
  const combined = signal === undefined ? given : AbortSignal.any([given, signal]);
  const giveUp = (code: "PULL_STALLED" | "PULL_OVERDUE", why: string): void =>
    controller.abort(new CriError(code, `Cannot ${action}: ${why}`));
  const watch = (): NodeJS.Timeout | undefined =>
    arm(timeout, () => giveUp("PULL_STALLED", `no byte came for ${seconds(timeout)}`));
  let idle = watch();
  const total = arm(deadline, () => giveUp("PULL_OVERDUE", `it wasn't done after ${seconds(deadline)}`));
  let last = -1;
  try {
    return await work(combined, (bytes) => {
      if (bytes === last) return;
      last = bytes;
      clearTimeout(idle);
      idle = watch();
    });
  } finally {
    clearTimeout(idle);
    clearTimeout(total);
  }
}

function arm(milliseconds: number, run: () => void): NodeJS.Timeout | undefined {
  return milliseconds === 0 ? undefined : setTimeout(run, milliseconds);
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} s`;
}
