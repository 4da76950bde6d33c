import { inspectImage } from "../../images/index.ts";
import { hostPlatformMatcher } from "../../oci/index.ts";
import { familiarString, parseReference } from "../../reference/index.ts";
import { openStore } from "../../store/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { localPlatform, dataDir } from "../settings.ts";
import { STORE_OPTIONS } from "../shared-options.ts";
import { createStyle } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";
import { formatAge, formatBytes } from "../terminal/units.ts";

const COLUMNS = [
  { title: "IMAGE", shrinkTo: 20 },
  { title: "DIGEST" },
  { title: "SIZE", align: "right" },
  { title: "UPDATED" },
] as const;

export const images: Command = defineCommand({
  name: "images",
  aliases: ["ls"],
  summary: "List the images in the node's store",
  options: {
    quiet: { type: "boolean", short: "q", summary: "Names only" },
    digests: { type: "boolean", summary: "Show digests in full" },
    ...STORE_OPTIONS,
  },
  arguments: [],
  examples: [
    { command: "dray images", summary: "What is here" },
    { command: "dray images -q | xargs -r dray rm", summary: "Forget all of it" },
  ],
  async run({ values }, context) {
    const { stdout, signal, clock, env } = context;
    await using store = await openStore(dataDir(values, context));
    const matcher = hostPlatformMatcher(localPlatform());
    const rows: string[][] = [];
    for (const { name, target, updatedAt } of store.names.list()) {
      const familiar = familiarString(parseReference(name));
      if (values.quiet === true) {
        await stdout.write(`${values.json === true ? JSON.stringify({ name }) : familiar}\n`);
        continue;
      }
      const facts = await inspectImage(store, target, { matcher, signal });
      if (values.json === true) {
        const { digest, mediaType } = target;
        const id = facts?.manifest.config.digest ?? null;
        await stdout.write(
          `${JSON.stringify({ name, digest, mediaType, id, size: facts?.size ?? null, updatedAt: new Date(updatedAt).toISOString() })}\n`,
        );
        continue;
      }
      const shown = values.digests === true ? target.digest : target.digest.slice(0, 19);
      // An image for another machine has no size to speak of here.
      rows.push([
        familiar,
        shown,
        facts === undefined ? "-" : formatBytes(facts.size),
        formatAge(clock.now() - updatedAt),
      ]);
    }
    if (values.quiet === true || values.json === true) return;
    const width = stdout.isTTY ? stdout.columns : undefined;
    const lines = renderTable({ columns: COLUMNS, rows, width, style: createStyle(stdout, env) });
    await stdout.write(`${lines.join("\n")}\n`);
  },
});
