import { openStore } from "../../store/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { dataDir, readDuration } from "../settings.ts";
import { STORE_OPTIONS } from "../shared-options.ts";
import { formatBytes } from "../terminal/units.ts";

export const gc: Command = defineCommand({
  name: "gc",
  summary: "Delete content of the node's store that nothing leads to",
  details: [
    "Safe beside pulls and pushes of any process: what is on its way, or was used a moment ago, stays.",
  ],
  options: {
    "dry-run": { type: "boolean", short: "n", summary: "Say what would go, and delete nothing" },
    grace: {
      type: "string",
      value: "DURATION",
      summary: "Keep what was used within this time; 10m by default",
    },
    "ingest-age": {
      type: "string",
      value: "DURATION",
      summary: "Give up downloads untouched for this long; 7d by default",
    },
    verbose: { type: "boolean", short: "v", summary: "Name everything that goes, and why" },
    ...STORE_OPTIONS,
  },
  arguments: [],
  examples: [
    { command: "dray gc --dry-run --verbose", summary: "See what would go" },
    { command: "dray gc --grace 0", summary: "Free all that can be freed" },
  ],
  async run({ values }, context) {
    const { signal, stdout } = context;
    await using store = await openStore(dataDir(values, context));
    const dryRun = values["dry-run"] === true;
    const { kept, deleted, droppedIngests } = await store.collect({
      signal,
      dryRun,
      grace: readDuration(values.grace, "--grace"),
      ingestAge: readDuration(values["ingest-age"], "--ingest-age"),
      onVerdict: ({ keep, id, size, reason, kind }) => {
        if (keep || values.verbose !== true) return;
        void stdout.write(
          `${values.json === true ? JSON.stringify({ kind, id, size, reason }) : `${id}  ${formatBytes(size)}  ${reason}`}\n`,
        );
      },
    });
    if (values.json === true) {
      await stdout.write(`${JSON.stringify({ dryRun, kept, deleted, droppedIngests })}\n`);
      return;
    }
    const bytes = deleted.bytes + droppedIngests.bytes;
    const verb = dryRun ? "Would free" : "Freed";
    await stdout.write(
      `${verb} ${formatBytes(bytes)}: ${deleted.count} blobs, ${droppedIngests.count} unfinished downloads; kept ${kept.count} blobs, ${formatBytes(kept.bytes)}\n`,
    );
  },
});
