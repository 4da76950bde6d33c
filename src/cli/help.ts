/** Help for people, from the command objects. */
import type { Command, OptionSpec } from "./command.ts";
import { EXIT_CODES } from "./exit-code.ts";
import { padEnd, textWidth } from "./terminal/width.ts";

const INTRO =
  "dray is Kubernetes' container-image system: everything between the image: line of a Pod and the bytes on a node.";

const PLACES: readonly (readonly [string, string])[] = [
  ["busybox, ghcr.io/a/b:1, docker://NAME", "an image in a registry"],
  ["store:NAME", "an image in the node's store"],
  ["oci:DIR[:REF]", "an OCI image layout folder"],
  ["oci-archive:FILE[:REF]", "the same in one tar file"],
  ["docker-archive:FILE[:REF]", "a tar file as docker save writes it"],
];

/** `dray --help`. */
export function formatOverview(commands: readonly Command[], width: number): string {
  return [
    ...wrap(INTRO, width),
    "",
    "Usage: dray COMMAND [OPTIONS] [ARGUMENTS]",
    "",
    "Commands:",
    ...columns(
      commands
        .filter((command) => !command.name.includes(" "))
        .map((command) => [command.name, command.summary]),
      width,
    ),
    "",
    "Image names:",
    ...columns(PLACES, width),
    "",
    "Every command takes --help, --json and --debug; dray --version prints the version.",
    "",
    "Exit codes:",
    ...columns(
      EXIT_CODES.map(({ code, summary }) => [String(code), summary]),
      width,
    ),
    "",
    "Start with: dray up",
    "",
  ].join("\n");
}

/** `dray COMMAND --help`. */
export function formatHelp(command: Command, width: number, subcommands: readonly Command[] = []): string {
  const lines = [...wrap(`${command.summary}.`, width), "", `Usage: ${formatUsage(command)}`];
  if (command.aliases !== undefined)
    lines.push(`Also:  ${command.aliases.map((alias) => `dray ${alias}`).join(", ")}`);
  for (const paragraph of command.details ?? []) lines.push("", ...wrap(paragraph, width));
  if (subcommands.length > 0) {
    const rows = subcommands.map(({ name, summary }): [string, string] => [name, summary]);
    lines.push("", "Further commands:", ...columns(rows, width));
  }
  if (command.arguments.length > 0) {
    const rows = command.arguments.map((argument): [string, string] => [argument.name, argument.summary]);
    lines.push("", "Arguments:", ...columns(rows, width));
  }
  const options = Object.entries(command.options).map(([name, option]): [string, string] => [
    formatOption(name, option),
    describe(option),
  ]);
  lines.push("", "Options:", ...columns(options, width));
  if (command.examples.length > 0) {
    lines.push("", "Examples:");
    for (const example of command.examples) lines.push(`  # ${example.summary}`, `  ${example.command}`);
  }
  return [...lines, ""].join("\n");
}

/** `dray copy [OPTIONS] SOURCE TARGET`. */
export function formatUsage(command: Command): string {
  const words = command.arguments.map((argument) => {
    const name = argument.many === true ? `${argument.name}...` : argument.name;
    return argument.optional === true ? `[${name}]` : name;
  });
  return ["dray", command.name, "[OPTIONS]", ...words].join(" ");
}

/** `-q, --quiet`, `    --platform OS/ARCH`. */
export function formatOption(name: string, option: OptionSpec): string {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  return `${short}--${name}${option.type === "string" ? ` ${option.value ?? "VALUE"}` : ""}`;
}

export function describe(option: OptionSpec): string {
  const choices = option.choices === undefined ? "" : ` (${option.choices.join(", ")})`;
  return `${option.summary}${choices}${option.multiple === true ? "; may be repeated" : ""}`;
}

function columns(rows: readonly (readonly [string, string])[], width: number): string[] {
  const left = Math.min(38, Math.max(...rows.map(([name]) => textWidth(name))));
  return rows.flatMap(([name, text]) => {
    const lines = wrap(text, Math.max(24, width - left - 4));
    const fits = textWidth(name) <= left;
    const head = fits
      ? [`  ${padEnd(name, left)}  ${lines[0] ?? ""}`]
      : [`  ${name}`, `  ${" ".repeat(left)}  ${lines[0] ?? ""}`];
    return [...head, ...lines.slice(1).map((line) => `  ${" ".repeat(left)}  ${line}`)];
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && textWidth(line) + 1 + textWidth(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
