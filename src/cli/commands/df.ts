import { openStore } from "../../store/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { dataDir } from "../settings.ts";
import { STORE_OPTIONS } from "../shared-options.ts";
import { createStyle } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";
import { formatBytes } from "../terminal/units.ts";

export const df: Command = defineCommand({
  name: "df",
  summary: "Say how much space the node's store takes, and how much could be freed",
  options: { ...STORE_OPTIONS },
  arguments: [],
  examples: [{ command: "dray df", summary: "Look before dray gc" }],
  async run({ values }, context) {
    const { signal, stdout, env } = context;
    const folder = dataDir(values, context);
    await using store = await openStore(folder);
    const usage = await store.usage({ signal });
    if (values.json === true) {
      await stdout.write(`${JSON.stringify({ dataDir: folder, ...usage })}\n`);
      return;
    }
    const { blobs, ingests, names, reclaimable } = usage;
    const lines = renderTable({
      columns: [{ title: "TYPE" }, { title: "COUNT", align: "right" }, { title: "SIZE", align: "right" }],
      rows: [
        ["Images", String(names), ""],
        ["Blobs", String(blobs.count), formatBytes(blobs.bytes)],
        ["Unfinished downloads", String(ingests.count), formatBytes(ingests.bytes)],
        ["Reclaimable", String(reclaimable.count), formatBytes(reclaimable.bytes)],
      ],
      style: createStyle(stdout, env),
    });
    await stdout.write(`${lines.join("\n")}\n`);
  },
});
