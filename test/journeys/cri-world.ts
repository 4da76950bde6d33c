/** `dray cri` in this process, a client of its socket, and a registry. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext, type MemoryContext } from "../../src/cli/testing.ts";
import { CODE_TRAILER, codeName, type CriClient, openCriClient } from "../../src/cri/index.ts";
import { ConnectError } from "@connectrpc/connect";
import { CriRegistry } from "./cri-registry.ts";

export interface CriWorld extends AsyncDisposable {
  readonly folder: string;
  readonly dataDir: string;
  readonly socket: string;
  readonly registry: CriRegistry;
  readonly client: CriClient;
  /** Where metrics are, if they were asked for. */
  readonly metricsPort: number;
  /** What was printed, on both streams. */
  readonly printed: string;
  /** Ends the service as SIGTERM does, and resolves with its exit code. */
  end(): Promise<number>;
}

export interface CriWorldOptions {
  /** More words for `dray cri`. */
  readonly words?: readonly string[];
  /** Of an earlier world, whose folder stays; a new one by default. */
  readonly dataDir?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export async function openCriWorld(options: CriWorldOptions = {}): Promise<CriWorld> {
  await using opening = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "dray-cri-"));
  opening.defer(() => rm(folder, { recursive: true, force: true }));
  const registry = opening.use(await CriRegistry.start());
  const dataDir = options.dataDir ?? join(folder, "data");
  const socket = join(folder, "cri.sock");
  const stop = new AbortController();
  const serving = Promise.withResolvers<void>();
  const context: MemoryContext = createMemoryContext({
    cwd: folder,
    home: folder,
    env: options.env ?? {},
    signal: stop.signal,
    now: Date.now,
    onWrite: () => {
      if (context.stdout.text !== "") serving.resolve();
    },
  });
  const words = ["cri", "--json", "--socket", socket, "--data-dir", dataDir, ...(options.words ?? [])];
  const ended = run(words, context);
  void ended.then((code) => serving.reject(new Error(`dray cri ended with ${code}: ${context.stderr.text}`)));
  const end = async (): Promise<number> => {
    stop.abort();
    return await ended;
  };
  opening.defer(async () => void (await end()));
  await serving.promise;
  const client = opening.use(openCriClient(socket));
  const stack = opening.move();
  const { metricsPort } = JSON.parse(context.stdout.text) as { readonly metricsPort: number | null };
  return {
    folder,
    dataDir,
    socket,
    registry,
    client,
    metricsPort: metricsPort ?? 0,
    get printed() {
      return context.stdout.text + context.stderr.text;
    },
    end,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** How far a pull is wanted to be: so many bytes of one of its contents, and all of the others but manifests. */
export interface Reach {
  readonly digest: string;
  readonly bytes: number;
  /** Contents but manifests, of which it has to know. */
  readonly of: number;
  /** Pulls that run, one by default. */
  readonly pulls?: number;
}

/** Resolves when so many pulls run, and one of them is that far. */
export async function pullReaches(client: CriClient, wanted: Reach): Promise<void> {
  for (;;) {
    const running: boolean[] = [];
    for await (const { pull } of client.pulls.watch({})) {
      const contents = pull?.contents.filter(({ mediaType }) => !mediaType.includes("manifest")) ?? [];
      const came = contents.every(({ digest, bytes, phase }) =>
        digest === wanted.digest ? bytes >= BigInt(wanted.bytes) : ["done", "here"].includes(phase),
      );
      running.push(came && contents.length === wanted.of);
    }
    if (running.length === (wanted.pulls ?? 1) && running.includes(true)) return;
  }
}

/** How a call failed: gRPC's code, our own, and the text. */
export interface Failure {
  readonly code: string;
  readonly own: string;
  readonly text: string;
}

export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  try {
    await call;
  } catch (error) {
    const failure = ConnectError.from(error);
    const own = failure.metadata.get(CODE_TRAILER) ?? "";
    return { code: codeName(failure.code), own, text: failure.rawMessage };
  }
  return { code: "OK", own: "", text: "" };
}
