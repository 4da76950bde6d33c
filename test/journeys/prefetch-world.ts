/** An image service of dray's own on a socket, and commands beside it. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext, type MemoryContextOptions } from "../../src/cli/testing.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Service {
  readonly socket: string;
  readonly dataDir: string;
  readonly stop: () => Promise<number>;
}

/** Runs a command in this process, in `folder`, which is its home, too. */
export async function dray(
  folder: string,
  words: readonly string[],
  options: MemoryContextOptions = {},
): Promise<Ran> {
  const env = { XDG_DATA_HOME: join(folder, "data"), HOME: folder, ...options.env };
  const context = createMemoryContext({ cwd: folder, home: folder, now: Date.now, ...options, env });
  const code = await run(words, context);
  return { code, out: context.stdout.text, err: context.stderr.text };
}

/** `dray cri` until the test ends. */
export async function serve(t: TestContext, folder: string, ...words: readonly string[]): Promise<Service> {
  const dataDir = join(folder, "cri");
  const socket = join(dataDir, "cri.sock");
  await mkdir(dataDir, { recursive: true });
  const controller = new AbortController();
  const serving = Promise.withResolvers<void>();
  const context = createMemoryContext({
    cwd: folder,
    home: folder,
    env: { HOME: folder },
    now: Date.now,
    signal: controller.signal,
    onWrite: () => {
      if (context.stdout.text.includes("Serving the CRI")) serving.resolve();
    },
  });
  const ended = run(["cri", "--data-dir", dataDir, ...words], context);
  void ended.then((code) => serving.reject(new Error(`dray cri ended with ${code}: ${context.stderr.text}`)));
  await serving.promise;
  const stop = async (): Promise<number> => {
    controller.abort();
    return await ended;
  };
  t.after(stop);
  return { socket, dataDir, stop };
}

/** Builds an image of one file of random-looking bytes and pushes it as the registry's builder. */
export async function build(folder: string, image: string, content: string): Promise<void> {
  const options = { env: { DRAY_PASSWORD: "builder-pw" } };
  const words = ["build", "--username", "builder", "--tag", `docker://${image}`, content];
  const { code, err } = await dray(folder, words, options);
  assert.equal(code, 0, err);
}
