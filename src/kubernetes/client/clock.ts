import { wait } from "../../internal/wait.ts";

/** Time as this room sees it; tests and replays hand in one of their own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Rejects with the signal's reason when that comes first. */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  wait: async (milliseconds, signal) => await wait(milliseconds, { signal }),
};
