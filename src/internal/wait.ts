/** Beyond this, about 25 days, a timer of the system goes off at once. */
const LONGEST = 2 ** 31 - 1;

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Whether waiting keeps the process alive; it does by default. */
  readonly ref?: boolean;
}

/** Waits for any time, however long. Rejects with the signal's reason when that comes first. */
export async function wait(milliseconds: number, options: WaitOptions = {}): Promise<void> {
  let rest = milliseconds;
  for (; rest > LONGEST; rest -= LONGEST) await sleep(LONGEST, options);
  await sleep(rest, options);
}

function sleep(milliseconds: number, { signal, ref = true }: WaitOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, milliseconds);
    if (!ref) timer.unref();
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
