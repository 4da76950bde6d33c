import type { ApiClock } from "../clock.ts";
import { isConflict } from "../storage/errors.ts";
import type { ApiStorage } from "../storage/storage.ts";

/** Events are told for an hour; a minute more or less is nothing to them. */
const INTERVAL = 60_000;
const AT_ONCE = 200;

/** Removes what was stored for a while only, until the signal. */
export async function expireObjects(
  storage: ApiStorage,
  clock: ApiClock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sweepExpired(storage, clock.now());
    await clock.wait(INTERVAL, signal).catch(() => {});
  }
}

export async function sweepExpired(storage: ApiStorage, now: number): Promise<void> {
  for (;;) {
    const expired = await storage.listExpired(now, AT_ONCE);
    await Promise.all(
      expired.map(async ({ key, revision }) => {
        // Whoever wrote it again in the meantime wants it to stay.
        await storage.write({ key, expected: revision }).catch((error: unknown) => {
          if (!isConflict(error)) throw error;
        });
      }),
    );
    if (expired.length < AT_ONCE) return;
  }
}
