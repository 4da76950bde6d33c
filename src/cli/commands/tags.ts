import { parseReference } from "../../reference/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { connect } from "../connect.ts";
import { UsageError } from "../errors.ts";
import { REGISTRY_OPTIONS } from "../shared-options.ts";

export const tags: Command = defineCommand({
  name: "tags",
  summary: "List the tags of a repository, one per line",
  options: { ...REGISTRY_OPTIONS },
  arguments: [{ name: "REPOSITORY", summary: "The repository, without a tag" }],
  examples: [{ command: "dray tags localhost:5000/hello", summary: "What can be pulled" }],
  async run({ values, positionals: [text = ""] }, context) {
    const name = text.startsWith("docker://") ? text.slice("docker://".length) : text;
    const reference = parseReference(name);
    if (reference.tag !== undefined || reference.digest !== undefined) {
      throw new UsageError(`Cannot list the tags of ${JSON.stringify(text)}: leave out the tag`, "tags");
    }
    await using access = await connect(values, [reference.domain], context);
    for await (const tag of access.repository(reference).tags({ signal: context.signal })) {
      await context.stdout.write(
        `${values.json === true ? JSON.stringify({ repository: name, tag }) : tag}\n`,
      );
    }
  },
});
