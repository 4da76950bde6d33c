import { familiarString, formatReference } from "../../reference/index.ts";
import { openStore } from "../../store/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { CliError, UsageError } from "../errors.ts";
import { parsePlace } from "../place.ts";
import { dataDir } from "../settings.ts";
import { STORE_OPTIONS } from "../shared-options.ts";

export const rm: Command = defineCommand({
  name: "rm",
  aliases: ["rmi"],
  summary: "Forget images of the node's store",
  details: ["Names go at once. Content that no name leads to any more goes with the next dray gc."],
  options: {
    force: { type: "boolean", short: "f", summary: "Say nothing of images that aren't here" },
    ...STORE_OPTIONS,
  },
  arguments: [{ name: "IMAGE", summary: "An image in the store", many: true }],
  examples: [{ command: "dray rm busybox && dray gc", summary: "Forget an image and free its space" }],
  async run({ values, positionals }, context) {
    const references = positionals.map((text) => {
      const place = parsePlace(text);
      if (place.kind === "docker" || place.kind === "store") return place.reference;
      throw new UsageError(`Cannot remove from ${place.kind}: dray rm works in the node's store`, "rm");
    });
    await using store = await openStore(dataDir(values, context));
    const missing: string[] = [];
    for (const reference of references) {
      const name = formatReference(reference);
      if (store.names.delete(name)) {
        await context.stdout.write(
          `${values.json === true ? JSON.stringify({ name, removed: true }) : familiarString(reference)}\n`,
        );
      } else {
        missing.push(JSON.stringify(familiarString(reference)));
      }
    }
    if (missing.length === 0 || values.force === true) return;
    throw new CliError("IMAGE_NOT_FOUND", `Cannot remove ${missing.join(", ")}: not in the store`);
  },
});
