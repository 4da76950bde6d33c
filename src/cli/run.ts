import { COMMAND_NAMES, findCommand, loadCommands, loadSubcommands, splitCommand } from "./catalogue.ts";
import type { CommandContext } from "./context.ts";
import { GivenUp, UsageError } from "./errors.ts";
import { exitCodeOf } from "./exit-code.ts";
import { firstFailure } from "./first-failure.ts";
import { formatHelp, formatOverview } from "./help.ts";
import { findNearest } from "./nearest.ts";
import { parseArguments } from "./parse-arguments.ts";
import { reportError } from "./report-error.ts";
import { readVersion } from "./version.ts";

/**
 * Runs one command line in this process and resolves with its exit code. Failures are told on `context.stderr`;
 * this never throws.
 */
export async function run(argv: readonly string[], context: CommandContext): Promise<number> {
  // Asked before parsing, since parsing itself may fail.
  const json = argv.includes("--json");
  const debug = argv.includes("--debug");
  try {
    return await dispatch(argv, context);
  } catch (thrown) {
    const error = firstFailure(thrown);
    if (context.signal.aborted && error === context.signal.reason) return INTERRUPTED;
    if (error instanceof GivenUp) return INTERRUPTED;
    reportError(error, context, { json, debug });
    return exitCodeOf(error);
  }
}

/** Stopped by the context's signal, of which the process entry knows which it was, or at a question. */
export const INTERRUPTED = 130;

async function dispatch(argv: readonly string[], context: CommandContext): Promise<number> {
  const [first] = argv;
  if (first === undefined || first === "--help" || first === "-h" || first === "help") {
    const [name] = splitCommand(argv.slice(1));
    return await help(name === "" ? undefined : name, context);
  }
  const [word, rest] = splitCommand(argv);
  if (word === "--version" || word === "-v" || word === "version") {
    void context.stdout.write(`${await readVersion()}\n`);
    return 0;
  }
  const command = await findCommand(word);
  if (command === undefined) throw unknownCommand(word);
  const args = parseArguments(command, rest);
  if (args.values["help"] === true) return await help(word, context);
  try {
    return (await command.run(args, context)) ?? 0;
  } catch (error) {
    // What several commands share doesn't know whose help explains it.
    if (!(error instanceof UsageError) || error.command !== undefined) throw error;
    throw new UsageError(error.message, command.name);
  }
}

async function help(word: string | undefined, context: CommandContext): Promise<number> {
  const width = Math.min(context.stdout.columns, 110);
  if (word === undefined || word.startsWith("-")) {
    void context.stdout.write(formatOverview(await loadCommands(), width));
    return 0;
  }
  const command = await findCommand(word);
  if (command === undefined) throw unknownCommand(word);
  void context.stdout.write(formatHelp(command, width, await loadSubcommands(command.name)));
  return 0;
}

function unknownCommand(word: string): UsageError {
  const kind = word.startsWith("-") ? "option" : "command";
  const near = findNearest(word, COMMAND_NAMES);
  return new UsageError(
    `Unknown ${kind} ${JSON.stringify(word)}${near === undefined ? "" : `; did you mean ${near}?`}`,
  );
}
