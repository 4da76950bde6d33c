import { wait } from "../internal/wait.ts";

/** Time as the server sees it; tests hand in one of their own. */
export interface ApiClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Rejects with the signal's reason when that comes first. */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: ApiClock = {
  now: () => Date.now(),
  // Nothing that only waits keeps the process alive.
  wait: async (milliseconds, signal) => await wait(milliseconds, { signal, ref: false }),
};

/** RFC 3339 in whole seconds, as metadata has its times. */
export function formatTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
