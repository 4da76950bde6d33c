import { loadCommands } from "../catalogue.ts";
import { type Command, defineCommand } from "../command.ts";
import { SHELLS, type Shell, formatCompletion } from "../completion.ts";
import { UsageError } from "../errors.ts";

export const completion: Command = defineCommand({
  name: "completion",
  summary: "Print the completion script of a shell",
  options: {},
  arguments: [{ name: "SHELL", summary: `One of ${SHELLS.join(", ")}` }],
  examples: [
    { command: "source <(dray completion bash)", summary: "Complete in this bash" },
    {
      command: "dray completion fish > ~/.config/fish/completions/dray.fish",
      summary: "Complete in every fish",
    },
  ],
  async run({ positionals, values }, { stdout }) {
    const shell = SHELLS.find((known) => known === positionals[0]);
    if (shell === undefined) {
      throw new UsageError(
        `Cannot complete for ${JSON.stringify(positionals[0])}: it is one of ${SHELLS.join(", ")}`,
        "completion",
      );
    }
    const script = formatCompletion(shell satisfies Shell, await loadCommands());
    await stdout.write(values.json === true ? `${JSON.stringify({ shell, script })}\n` : script);
  },
});
