/** A registry run by its command, in this process, over real sockets. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { resolveRegistry, type ServeValues } from "../../src/cli/registry/options.ts";
import { runRegistry } from "../../src/cli/registry/run-registry.ts";
import { run } from "../../src/cli/run.ts";
import { createMemoryContext, type MemoryContext } from "../../src/cli/testing.ts";

export interface RunningRegistry {
  readonly port: number;
  readonly metricsPort: number | undefined;
  readonly context: MemoryContext;
  /** Asks it to end; resolves when it has. */
  stop(): Promise<void>;
  /** What it said on stderr, once it said that. */
  heard(pattern: RegExp): Promise<void>;
  hangUp(): void;
}

export interface StartOptions {
  /** Instead of waiting for the time of the configuration. */
  readonly waitFarewell?: (milliseconds: number) => Promise<void>;
}

/** What a test started; its folders go after that, and not from under it. */
const started = new WeakMap<TestContext, (() => Promise<void>)[]>();

async function stopAll(t: TestContext): Promise<void> {
  for (const stop of started.get(t) ?? []) await stop().catch(() => {});
}

/** A folder of a test's own. */
export function makeWorkFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dray-registry-"));
  t.after(async () => {
    await stopAll(t);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export async function startRegistry(
  t: TestContext,
  folder: string,
  config: string | undefined,
  { waitFarewell, ...values }: ServeValues & StartOptions = {},
): Promise<RunningRegistry> {
  const path = join(folder, "registry.yaml");
  if (config !== undefined) writeFileSync(path, config);
  const ending = new AbortController();
  let news = Promise.withResolvers<void>();
  const memory = createMemoryContext({
    cwd: folder,
    home: folder,
    now: () => Date.now(),
    signal: ending.signal,
    onWrite: () => {
      news.resolve();
      news = Promise.withResolvers();
    },
  });
  let onHangup = (): void => {};
  const context: MemoryContext = {
    ...memory,
    onHangup: (listener) => {
      onHangup = listener;
      return () => {};
    },
  };
  const listening = Promise.withResolvers<Pick<RunningRegistry, "port" | "metricsPort">>();
  const given = { "data-dir": folder, port: "0", ...(config !== undefined && { config: path }), ...values };
  const running = runRegistry(
    {
      resolve: () => resolveRegistry(given, context),
      json: false,
      lookEvery: 5,
      waitFarewell,
      onListening: ({ port }, metricsPort) => listening.resolve({ port, metricsPort }),
    },
    context,
  );
  running.catch((error: unknown) => listening.reject(error));
  const stop = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  started.set(t, [...(started.get(t) ?? []), stop]);
  t.after(() => stopAll(t));
  const ports = await listening.promise;
  return {
    ...ports,
    context,
    stop,
    hangUp: () => onHangup(),
    heard: async (pattern) => {
      while (!pattern.test(context.stderr.text)) await news.promise;
    },
  };
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Another command line, on the same folder. */
export async function dray(folder: string, line: readonly string[], stdin = ""): Promise<Ran> {
  const context = createMemoryContext({ cwd: folder, home: folder, stdin, now: () => Date.now() });
  const code = await run([...line, "--data-dir", folder], context);
  return { code, stdout: context.stdout.text, stderr: context.stderr.text };
}
