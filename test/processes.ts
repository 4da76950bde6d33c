/** Other programs, started by tests and benchmarks and always ended by them. */
import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The checkout. */
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url));

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Uint8Array;
  /** Milliseconds; five minutes by default. */
  readonly timeout?: number;
}

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever that is. */
export async function attempt(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const child = spawn(program, [...args], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["pipe", "pipe", "pipe"],
    timeout: options.timeout ?? 300_000,
    killSignal: "SIGKILL",
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return {
    status,
    stdout: Buffer.concat(out).toString("utf8"),
    stderr: Buffer.concat(err).toString("utf8"),
  };
}

/** Runs a program that has to succeed and returns its output, trimmed. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const ended = await attempt(program, args, options);
  if (ended.status === 0) return ended.stdout.trim();
  const words = [program, ...args].join(" ");
  throw new Error(`${words} ended with ${ended.status}:\n${ended.stdout}${ended.stderr}`);
}

export interface Started extends AsyncDisposable {
  readonly pid: number;
  /** Everything it said so far, on either stream. */
  readonly said: string;
  /** The first match in what it says; fails when it ends before. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>;
  /** Once it is gone, unless a signal ended it. */
  readonly exitCode: number | null;
  /** Ends it, gently at first, and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Milliseconds for a gentle end, which a busy machine may draw out. */
const PATIENCE = 60_000;

/** Starts a program that goes on running. */
export function start(program: string, args: readonly string[], options: RunOptions = {}): Started {
  const child = spawn(program, [...args], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const listeners = new Set<() => void>();
  // Halves of a character wait for the rest.
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      for (const listener of listeners) listener();
    });
  }
  const gone = new Promise<void>((resolve) => {
    child.on("close", () => resolve());
    child.on("error", () => resolve());
  });
  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    child.kill(signal);
    const patience = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
    await gone;
    clearTimeout(patience);
  };
  return {
    pid: child.pid ?? -1,
    get said() {
      return said;
    },
    get exitCode() {
      return child.exitCode;
    },
    waitFor: async (pattern) =>
      await new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(said);
          if (match === null) return;
          listeners.delete(look);
          resolve(match);
        };
        listeners.add(look);
        look();
        void gone.then(() =>
          reject(new Error(`${program} ended (${endOf(child)}) before saying ${pattern}:\n${said}`)),
        );
      }),
    stop,
    [Symbol.asyncDispose]: async () => await stop(),
  };
}

function endOf(child: ChildProcess): string {
  return child.signalCode ?? String(child.exitCode);
}
