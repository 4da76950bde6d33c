import { parseArgs } from "node:util";

import type { Arguments, Command, OptionTable } from "./command.ts";
import { UsageError } from "./errors.ts";
import { findNearest } from "./nearest.ts";

/**
 * Reads the words after a command's name.
 *
 * @throws UsageError
 */
export function parseArguments(command: Command, words: readonly string[]): Arguments<OptionTable> {
  const { tokens, values, positionals } = parse(command, words);
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const option = command.options[token.name];
    if (option === undefined) throw unknownOption(command, token.rawName);
    if (option.type === "string") {
      if (token.value === undefined) {
        throw new UsageError(
          `Option ${token.rawName} needs a value: ${usageOf(token.name, option.value)}`,
          command.name,
        );
      }
      if (option.choices !== undefined && !option.choices.includes(token.value)) {
        throw new UsageError(
          `Option ${token.rawName} does not take ${JSON.stringify(token.value)}: it is one of ${option.choices.join(", ")}`,
          command.name,
        );
      }
    } else if (token.value !== undefined) {
      throw new UsageError(`Option ${token.rawName} takes no value`, command.name);
    }
  }
  if (values["help"] !== true) checkCount(command, positionals);
  return { values, positionals };
}

function parse(
  command: Command,
  words: readonly string[],
): Pick<Arguments<OptionTable>, "values"> & {
  positionals: string[];
  tokens: NonNullable<ReturnType<typeof parseArgs>["tokens"]>;
} {
  const options: Record<string, { type: "string" | "boolean"; short?: string; multiple?: boolean }> = {};
  for (const [name, { type, short, multiple }] of Object.entries(command.options)) {
    options[name] = { type, ...(short && { short }), ...(multiple && { multiple }) };
  }
  // Not strict: its messages speak of API options. The checks above say the same in our words.
  const parsed = parseArgs({
    args: [...words],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  return parsed as ReturnType<typeof parse>;
}

function unknownOption(command: Command, rawName: string): UsageError {
  const near = findNearest(rawName.replace(/^-+/, ""), Object.keys(command.options));
  const hint = near === undefined ? "" : `; did you mean --${near}?`;
  return new UsageError(
    `Unknown option ${JSON.stringify(rawName)} for dray ${command.name}${hint}`,
    command.name,
  );
}

function usageOf(name: string, value: string | undefined): string {
  return `--${name} ${value ?? "VALUE"}`;
}

function checkCount(command: Command, positionals: readonly string[]): void {
  const specs = command.arguments;
  const required = specs.filter((spec) => spec.optional !== true);
  const missing = required[positionals.length];
  if (missing !== undefined) {
    throw new UsageError(
      `dray ${command.name} needs ${missing.name}: ${missing.summary.toLowerCase()}`,
      command.name,
    );
  }
  if (positionals.length > specs.length && specs.at(-1)?.many !== true) {
    const extra = positionals[specs.length] ?? "";
    throw new UsageError(
      `dray ${command.name} does not take another argument: ${JSON.stringify(extra)}`,
      command.name,
    );
  }
}
