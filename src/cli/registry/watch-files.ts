import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

export interface WatchFilesOptions {
  /** Asked at each look: what is watched may change with what was read. */
  readonly paths: () => readonly string[];
  /** Milliseconds between looks. */
  readonly interval: number;
  readonly signal: AbortSignal;
  readonly onChange: () => Promise<void>;
}

/**
 * Looks whether files are others than before, and calls back once for each change; and once for the first look, since
 * what was read before it may have changed in between. Looking is the one way that sees through symbolic links that are
 * moved, as Kubernetes does with mounted Secrets.
 */
export async function watchFiles(options: WatchFilesOptions): Promise<void> {
  const { paths, interval, signal, onChange } = options;
  let before: string | undefined;
  while (!signal.aborted) {
    const now = await stampOf(paths());
    if (now !== before && !signal.aborted) {
      before = now;
      await onChange();
    }
    await sleep(interval, undefined, { signal }).catch(() => {});
  }
}

async function stampOf(paths: readonly string[]): Promise<string> {
  const stamps = await Promise.all(
    paths.map(async (path) => {
      try {
        const { mtimeMs, size, ino } = await stat(path);
        return `${path} ${mtimeMs} ${size} ${ino}`;
      } catch {
        return `${path} -`;
      }
    }),
  );
  return stamps.join("\n");
}
