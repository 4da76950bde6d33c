export interface ProgramOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
  /** Hears what the program says on stderr as it comes, also when it doesn't get to its end. */
  readonly onStderr?: ((text: string) => void) | undefined;
}

export interface ProgramResult {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** That signal's name. */
  readonly signal?: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program without a shell, with `input` on its stdin, and collects what it says. */
export type RunProgram = (
  command: readonly [program: string, ...args: string[]],
  input: string,
  options: ProgramOptions,
) => Promise<ProgramResult>;

/** A credential fits many times over; a program that talks on is broken. */
const OUTPUT_LIMIT = 1024 * 1024;

export const runProgram: RunProgram = async ([program, ...args], input, { env, signal, onStderr }) => {
  // Loaded when needed: most commands run no program.
  const { spawn } = await import("node:child_process");
  return await new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(program, args, {
      env: env as NodeJS.ProcessEnv,
      stdio: ["pipe", "pipe", "pipe"],
      windowsHide: true,
    });
    const stop = (): void => {
      child.kill("SIGKILL");
      // A grandchild may hold the pipes open.
      child.stdout.destroy();
      child.stderr.destroy();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener("abort", stop, { once: true });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        output[name] += text;
        if (name === "stderr") onStderr?.(text);
        if (output[name].length > OUTPUT_LIMIT) child.kill("SIGKILL");
      });
    }
    // A program may answer without reading its input.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("error", (error) => {
      signal?.removeEventListener("abort", stop);
      reject(error);
    });
    child.on("close", (code, ended) => {
      signal?.removeEventListener("abort", stop);
      resolve({ code, signal: ended ?? undefined, ...output });
    });
  });
};
