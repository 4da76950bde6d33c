/**
 * What a command is: one object that parsing, help, shell completion and `docs/cli.md` all read.
 */
import type { CommandContext } from "./context.ts";

export interface OptionSpec {
  readonly type: "string" | "boolean";
  readonly short?: string;
  readonly multiple?: boolean;
  /** What stands for the value in help: `DIR`, `OS/ARCH`. */
  readonly value?: string;
  /** One line, without a full stop. */
  readonly summary: string;
  /** The only values there are; checked while parsing and offered by completion. */
  readonly choices?: readonly string[];
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

export type OptionValues<O extends OptionTable> = {
  readonly [K in keyof O]?: O[K] extends { readonly type: "boolean" }
    ? boolean
    : O[K] extends { readonly multiple: true }
      ? readonly string[]
      : string;
};

export interface ArgumentSpec {
  /** `IMAGE`, `FOLDER`. */
  readonly name: string;
  readonly summary: string;
  readonly optional?: boolean;
  /** The last argument may be given several times. */
  readonly many?: boolean;
}

export interface Example {
  readonly command: string;
  readonly summary: string;
}

export interface Arguments<O extends OptionTable> {
  readonly values: OptionValues<O & typeof COMMON_OPTIONS>;
  readonly positionals: readonly string[];
}

/** What {@link defineCommand} is given. */
export interface CommandSpec<O extends OptionTable> {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One line, without a full stop. */
  readonly summary: string;
  /** Paragraphs for `--help`, each one string. */
  readonly details?: readonly string[];
  readonly options: O;
  readonly arguments: readonly ArgumentSpec[];
  readonly examples: readonly Example[];
  /** Resolves with the exit code; 0 when it resolves with nothing. */
  run(args: Arguments<O>, context: CommandContext): Promise<number | void>;
}

/** A command whose option types were settled where it was defined. */
export interface Command extends Omit<CommandSpec<OptionTable>, "run"> {
  run(args: Arguments<OptionTable>, context: CommandContext): Promise<number | void>;
}

export const COMMON_OPTIONS = {
  json: { type: "boolean", summary: "Print results as JSON, for programs" },
  debug: { type: "boolean", summary: "When something fails, also print what caused it" },
  help: { type: "boolean", short: "h", summary: "Print this help" },
} as const;

/** Gives `run` the types of its own options. */
export function defineCommand<const O extends OptionTable>(spec: CommandSpec<O>): Command {
  const options: OptionTable = { ...spec.options, ...COMMON_OPTIONS };
  // Parsing checks every value against this very table, so the values have the types that `spec` promises.
  return { ...spec, options, run: (args, context) => spec.run(args as Arguments<O>, context) };
}
