/** A process for commands that has no process: streams in memory, a fixed clock, its own environment. */
import type { CommandContext, Output } from "./context.ts";

export interface MemoryOutput extends Output {
  /** Everything written so far. */
  readonly text: string;
  readonly bytes: Uint8Array;
  isTTY: boolean;
  columns: number;
  rows: number;
}

export interface MemoryOutputOptions {
  readonly isTTY?: boolean;
  readonly columns?: number;
  /** Called after each write. */
  readonly onWrite?: (() => void) | undefined;
}

export function createMemoryOutput(options: MemoryOutputOptions = {}): MemoryOutput {
  const chunks: Buffer[] = [];
  const look = watchOutput();
  return {
    isTTY: options.isTTY ?? false,
    columns: options.columns ?? 80,
    rows: 24,
    write(chunk) {
      chunks.push(Buffer.from(chunk));
      look?.(chunk);
      options.onWrite?.();
    },
    get bytes() {
      return Buffer.concat(chunks);
    },
    get text() {
      return Buffer.concat(chunks).toString("utf8");
    },
  };
}

type Watch = (chunk: string | Uint8Array) => void;

/** A run of all tests looks at what commands say: no secret may be in it. */
function watchOutput(): Watch | undefined {
  const watch: unknown = Reflect.get(globalThis, Symbol.for("dray.test.output"));
  return typeof watch === "function" ? (watch("a command") as Watch) : undefined;
}

export interface MemoryContext extends CommandContext {
  readonly stdout: MemoryOutput;
  readonly stderr: MemoryOutput;
}

export interface MemoryContextOptions {
  readonly stdin?: string | Uint8Array;
  readonly stdinIsTTY?: boolean;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly home?: string;
  readonly signal?: AbortSignal;
  readonly now?: () => number;
  /** Called after each write to either stream. */
  readonly onWrite?: () => void;
}

export function createMemoryContext(options: MemoryContextOptions = {}): MemoryContext {
  const input = Buffer.from(options.stdin ?? "");
  const screen = { isTTY: options.isTTY ?? false, columns: options.columns ?? 80, onWrite: options.onWrite };
  return {
    stdin: {
      isTTY: options.stdinIsTTY ?? false,
      async *[Symbol.asyncIterator]() {
        if (input.length > 0) yield input;
      },
    },
    stdout: createMemoryOutput(screen),
    stderr: createMemoryOutput(screen),
    env: options.env ?? {},
    cwd: options.cwd ?? process.cwd(),
    home: options.home ?? "/nonexistent",
    uid: 1000,
    signal: options.signal ?? new AbortController().signal,
    clock: { now: options.now ?? ((): number => 0) },
  };
}
