import type { ProgramResult, RunProgram } from "../../credentials/index.ts";
import type { ProviderRunTrace } from "../trace.ts";

/** Runs programs, and remembers how each went. */
export class ProviderRuns {
  readonly #run: RunProgram;
  readonly #now: () => number;
  readonly #last = new Map<string, ProviderRunTrace>();

  constructor(run: RunProgram, now: () => number) {
    this.#run = run;
    this.#now = now;
  }

  readonly run: RunProgram = async (command, input, options): Promise<ProgramResult> => {
    const started = this.#now();
    const note = (exit: number | null): void => {
      const milliseconds = Math.round(this.#now() - started);
      this.#last.set(nameOf(command[0]), { argv: command, exit, milliseconds });
    };
    try {
      const result = await this.#run(command, input, options);
      note(result.code);
      return result;
    } catch (error) {
      note(null);
      throw error;
    }
  };

  find(provider: string): ProviderRunTrace | undefined {
    return this.#last.get(provider);
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
