/** Shell completion, written out from the command objects: completing starts no process. */
import type { Command, OptionSpec } from "./command.ts";
import { describe } from "./help.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof SHELLS)[number];

const IMAGE_SCHEMES = ["docker://", "oci:", "oci-archive:", "docker-archive:", "store:"];

export function formatCompletion(shell: Shell, all: readonly Command[]): string {
  const commands = foldWords(all);
  switch (shell) {
    case "bash":
      return formatBash(commands);
    case "zsh":
      return formatZsh(commands);
    case "fish":
      return formatFish(commands);
  }
}

/** The commands of one first word, to shells one command: all of their options, and the words that may follow. */
interface FoldedCommand extends Command {
  readonly words: readonly string[];
}

function foldWords(commands: readonly Command[]): readonly FoldedCommand[] {
  return commands
    .filter(({ name }) => !name.includes(" "))
    .map((command) => {
      const further = commands.filter(({ name }) => name.startsWith(`${command.name} `));
      return {
        ...command,
        options: Object.assign({}, ...further.map(({ options }) => options), command.options),
        words: further.map(({ name }) => name.slice(command.name.length + 1)),
      };
    });
}

function formatBash(commands: readonly FoldedCommand[]): string {
  const cases = commands.map((command) => {
    const names = [command.name, ...(command.aliases ?? [])].join("|");
    return `    ${names}) options="${flags(command).join(" ")}"; values="${valueFlags(command).join(" ")}"; words="${command.words.join(" ")}" ;;`;
  });
  const choices = listChoices(commands).map(
    ({ flag, values }) =>
      `    ${flag}) COMPREPLY=($(compgen -W "${values.join(" ")}" -- "$word")); return ;;`,
  );
  return `# dray completion for bash: source <(dray completion bash)
_dray() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" options="" values="" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} --help --version" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  case "$before" in
${choices.join("\n")}
  esac
  case " $values " in
    *" $before "*) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 2 ] && [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    return
  fi
  case "$word" in
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _dray dray
`;
}

function formatZsh(commands: readonly FoldedCommand[]): string {
  const list = commands.map(({ name, summary }) => `    ${zshQuote(`${name}:${summary}`)}`);
  const cases = commands.map((command) => {
    const options = Object.entries(command.options).flatMap(([name, option]) => zshOption(name, option));
    const names = [command.name, ...(command.aliases ?? [])].join("|");
    const words = command.words.length === 0 ? [] : [`'1: :(${command.words.join(" ")})'`];
    return `    ${names}) _arguments ${[...options, ...words, "'*: :_files'"].join(" ")} ;;`;
  });
  return `#compdef dray
# dray completion for zsh: dray completion zsh > "\${fpath[1]}/_dray"
_dray() {
  local -a commands
  commands=(
${list.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
compdef _dray dray
`;
}

function formatFish(commands: readonly FoldedCommand[]): string {
  const lines = ["# dray completion for fish: dray completion fish | source"];
  for (const command of commands) {
    lines.push(
      `complete -c dray -n __fish_use_subcommand -f -a ${command.name} -d ${fishQuote(command.summary)}`,
    );
    const names = [command.name, ...(command.aliases ?? [])].join(" ");
    if (command.words.length > 0) {
      const words = fishQuote(command.words.join(" "));
      lines.push(`complete -c dray -n '__fish_seen_subcommand_from ${names}' -f -a ${words}`);
    }
    for (const [name, option] of Object.entries(command.options)) {
      const short = option.short === undefined ? "" : ` -s ${option.short}`;
      const value =
        option.type === "boolean"
          ? ""
          : option.choices
            ? ` -x -a ${fishQuote(option.choices.join(" "))}`
            : " -r";
      lines.push(
        `complete -c dray -n '__fish_seen_subcommand_from ${names}' -l ${name}${short}${value} -d ${fishQuote(describe(option))}`,
      );
    }
    if (command.arguments.some((argument) => argument.name.endsWith("IMAGE"))) {
      const schemes = fishQuote(IMAGE_SCHEMES.join(" "));
      lines.push(`complete -c dray -n '__fish_seen_subcommand_from ${names}' -a ${schemes}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function flags(command: Command): string[] {
  return Object.entries(command.options).flatMap(([name, { short }]) => [
    `--${name}`,
    ...(short ? [`-${short}`] : []),
  ]);
}

function valueFlags(command: Command): string[] {
  return Object.entries(command.options)
    .filter(([, { type }]) => type === "string")
    .flatMap(([name, { short }]) => [`--${name}`, ...(short ? [`-${short}`] : [])]);
}

function listChoices(
  commands: readonly Command[],
): { readonly flag: string; readonly values: readonly string[] }[] {
  const choices = new Map<string, readonly string[]>();
  for (const { options } of commands) {
    for (const [name, option] of Object.entries(options)) {
      if (option.choices !== undefined) choices.set(`--${name}`, option.choices);
    }
  }
  return [...choices].map(([flag, values]) => ({ flag, values }));
}

function zshOption(name: string, option: OptionSpec): string[] {
  const summary = describe(option).replace(/[[\]:]/g, "\\$&");
  const value = option.type === "boolean" ? "" : `:${option.value ?? "value"}:${zshValues(option)}`;
  const repeat = option.multiple === true ? "*" : "";
  const spellings = [`--${name}`, ...(option.short === undefined ? [] : [`-${option.short}`])];
  return spellings.map((spelling) => zshQuote(`${repeat}${spelling}[${summary}]${value}`));
}

function zshValues(option: OptionSpec): string {
  return option.choices === undefined ? "_files" : `(${option.choices.join(" ")})`;
}

function zshQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function fishQuote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
