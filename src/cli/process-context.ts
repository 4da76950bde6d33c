import { homedir } from "node:os";
import { addAbortSignal, type Readable } from "node:stream";
import type { WriteStream } from "node:tty";

import type { CommandContext, Output } from "./context.ts";
import { exitCodeOf } from "./exit-code.ts";
import { INTERRUPTED } from "./run.ts";

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const BROKEN_PIPE = 141;
/** Milliseconds in which a signal that comes again is the same one. */
const SAME_SIGNAL = 500;
/** Milliseconds that whatever is still open may hold up the end. */
const PATIENCE = 1000;

/** The context of the process we are, and which signal stopped it. */
export interface ProcessContext {
  readonly context: CommandContext;
  readonly interruptedBy: () => keyof typeof SIGNALS | undefined;
}

/** Takes over signals and output errors of this process; call it once. */
export function createProcessContext(): ProcessContext {
  const controller = new AbortController();
  let interruptedBy: keyof typeof SIGNALS | undefined;
  let interruptedAt = 0;
  const hangup = new Set<() => void>();
  for (const name of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) {
    process.on(name, () => {
      if (name === "SIGHUP" && hangup.size > 0) {
        for (const listener of hangup) listener();
        return;
      }
      const now = Date.now();
      // The first one asks for a tidy end, the second one doesn't ask. Ctrl-C under npm comes twice at once: from
      // the terminal and from npm.
      if (interruptedBy === undefined) {
        interruptedBy = name;
        interruptedAt = now;
        controller.abort();
      } else if (now - interruptedAt > SAME_SIGNAL) {
        process.exit(SIGNALS[name]);
      }
    });
  }
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      // `dray tags … | head -1` is no failure worth a word.
      if (error.code === "EPIPE") process.exit(BROKEN_PIPE);
      if (stream === process.stdout) {
        process.stderr.write(`dray: Cannot write to standard output: ${error.message}\n`);
      }
      process.exit(exitCodeOf(error));
    });
  }
  const context: CommandContext = {
    stdin: {
      get isTTY() {
        return process.stdin.isTTY;
      },
      setRawMode(on) {
        process.stdin.setRawMode(on);
      },
      [Symbol.asyncIterator]: () => readUntil(process.stdin, controller.signal),
    },
    stdout: toOutput(process.stdout),
    stderr: toOutput(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    uid: process.geteuid?.() ?? 0,
    signal: controller.signal,
    onHangup: (listener) => {
      hangup.add(listener);
      return () => hangup.delete(listener);
    },
    clock: { now: Date.now },
  };
  return { context, interruptedBy: () => interruptedBy };
}

/**
 * Lets the process end with a command's exit code once all output is out, and by itself: a command closes what it
 * opens. `process.exit()` waits for the threads that compile while the main thread does nothing else, and they may be
 * waiting for the main thread to collect garbage; on a busy machine both wait for ever now and then
 * (https://github.com/nodejs/node/issues/54918). So it is left for what would otherwise not end at all.
 */
export async function endProcess(code: number, { interruptedBy }: ProcessContext): Promise<void> {
  const signal = interruptedBy();
  // Output on its way into a pipe must not be cut by what comes after the patience.
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exitCode = code === INTERRUPTED && signal !== undefined ? SIGNALS[signal] : code;
  setTimeout(() => process.exit(), PATIENCE).unref();
}

/** A terminal, and a pipe that somebody keeps open, never end by themselves. */
export async function* readUntil(stream: Readable, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* addAbortSignal(signal, stream);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

export function toOutput(stream: WriteStream): Output {
  return {
    get isTTY() {
      return stream.isTTY;
    },
    get columns() {
      // A terminal nobody gave a size says 0.
      return stream.columns || Number(process.env["COLUMNS"]) || 100;
    },
    get rows() {
      return stream.rows || 50;
    },
    write(chunk) {
      if (stream.write(chunk)) return;
      return new Promise((resolve) => stream.once("drain", resolve));
    },
    onResize(listener) {
      stream.on("resize", listener);
      return () => stream.off("resize", listener);
    },
  };
}

function flushed(stream: WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write("", () => resolve()));
}
