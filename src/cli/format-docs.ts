/** `docs/cli.md`, from the command objects. */
import { loadCommands } from "./catalogue.ts";
import type { Command } from "./command.ts";
import { EXIT_CODES } from "./exit-code.ts";
import { describe, formatOption, formatUsage } from "./help.ts";

/** The text of the page. */
export async function formatCliDocs(): Promise<string> {
  return formatDocs(await loadCommands());
}

function formatDocs(commands: readonly Command[]): string {
  const sections = commands.map(formatSection);
  return `# The dray command

This page is made by \`node scripts/cli-docs.ts\` from the same objects that print \`--help\`.

| Command | |
| --- | --- |
${commands.map(({ name, summary }) => `| [\`dray ${name}\`](#dray-${name.replaceAll(" ", "-")}) | ${cell(summary)} |`).join("\n")}

Results go to stdout, one per line, or as JSON with \`--json\`; everything else goes to stderr.

## Image names

| Written | Means |
| --- | --- |
| \`busybox\`, \`ghcr.io/a/b:1\`, \`docker://NAME\` | an image in a registry |
| \`store:NAME\` | an image in the node's store |
| \`oci:DIR[:REF]\` | an OCI image layout folder |
| \`oci-archive:FILE[:REF]\` | the same in one tar file |
| \`docker-archive:FILE[:REF]\` | a tar file as \`docker save\` writes it |

## Exit codes

| Code | Meaning |
| --- | --- |
${EXIT_CODES.map(({ code, summary }) => `| ${code} | ${cell(summary)} |`).join("\n")}

${sections.join("\n")}`;
}

function formatSection(command: Command): string {
  const parts = [
    `## dray ${command.name}`,
    `${command.summary}.`,
    `\`\`\`text\n${formatUsage(command)}\n\`\`\``,
  ];
  if (command.aliases !== undefined)
    parts.push(`Also: ${command.aliases.map((alias) => `\`dray ${alias}\``).join(", ")}.`);
  parts.push(...(command.details ?? []));
  if (command.arguments.length > 0) {
    const rows = command.arguments.map(({ name, summary }) => `| \`${name}\` | ${cell(summary)} |`);
    parts.push(`| Argument | |\n| --- | --- |\n${rows.join("\n")}`);
  }
  const rows = Object.entries(command.options).map(
    ([name, option]) => `| \`${formatOption(name, option).trim()}\` | ${cell(describe(option))} |`,
  );
  parts.push(`| Option | |\n| --- | --- |\n${rows.join("\n")}`);
  if (command.examples.length > 0) {
    const lines = command.examples.map((example) => `# ${example.summary}\n${example.command}`);
    parts.push(`\`\`\`sh\n${lines.join("\n")}\n\`\`\``);
  }
  return `${parts.join("\n\n")}\n`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
