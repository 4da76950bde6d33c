import { join } from "node:path";

import { readUsage, type RegistryUsage } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { askControlSockets } from "../registry/control-socket.ts";
import { FOLDER_OPTIONS, resolveRegistry } from "../registry/options.ts";
import type { LiveStatus } from "../registry/status.ts";
import { readCount } from "../settings.ts";
import { createStyle } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";
import { formatBytes, formatDuration } from "../terminal/units.ts";

export const registryStatus: Command = defineCommand({
  name: "registry status",
  summary: "Show what a registry holds, and how those processes are that serve it",
  details: [
    "What it holds is read from its folder; each process that serves it is asked over a socket there, which only its owner can open. Exit code 1 says that none does.",
  ],
  options: {
    ...FOLDER_OPTIONS,
    largest: { type: "string", value: "NUMBER", summary: "List so many repositories; 10 by default" },
  },
  arguments: [],
  examples: [
    { command: "dray registry status --config registry.yaml", summary: "See how it is" },
    {
      command: "dray registry status --json | jq '.processes[].lockedOut'",
      summary: "Who guessed too often",
    },
  ],
  async run({ values }, context) {
    const { folder } = await resolveRegistry(values, context);
    const largest = readCount(values.largest, "--largest") ?? 10;
    const usage = readUsage(join(folder, "registry.db"), { largest });
    const processes = (await askControlSockets(folder, "GET /status")) as readonly LiveStatus[];
    if (values.json === true) {
      await context.stdout.write(`${JSON.stringify({ folder, ...usage, processes })}\n`);
    } else await context.stdout.write(describe(folder, { usage, processes }, context));
    return processes.length === 0 ? 1 : 0;
  },
});

function describe(
  folder: string,
  { usage, processes }: { readonly usage: RegistryUsage; readonly processes: readonly LiveStatus[] },
  context: CommandContext,
): string {
  const style = createStyle(context.stdout, context.env);
  const now = context.clock.now();
  const lines = [
    `${folder}: ${formatBytes(usage.bytes)} in ${usage.repositories} repositories`,
    `${usage.tags} tags, ${usage.manifests} manifests, ${usage.blobs} blobs, ${usage.uploads} uploads`,
  ];
  const table = (columns: Parameters<typeof renderTable>[0]["columns"], rows: readonly string[][]): void => {
    if (rows.length > 0) lines.push("", ...renderTable({ columns, rows, style }));
  };
  table(
    [{ title: "REPOSITORY" }, { title: "SIZE", align: "right" }, { title: "TAGS", align: "right" }],
    usage.largest.map((one) => [one.name, formatBytes(one.bytes), String(one.tags)]),
  );
  table(
    [
      { title: "PROCESS" },
      { title: "STATE" },
      { title: "FOR", align: "right" },
      { title: "REQUESTS", align: "right" },
      { title: "UNDER WAY", align: "right" },
      { title: "UPLOADS", align: "right" },
      { title: "IN", align: "right" },
      { title: "OUT", align: "right" },
    ],
    processes.map((one) => [
      `${one.pid} on ${one.address}:${one.port}`,
      one.state,
      formatDuration(now - one.startedAt),
      String(one.requests),
      String(one.underWay),
      String(one.uploads),
      formatBytes(one.bytesIn),
      formatBytes(one.bytesOut),
    ]),
  );
  table(
    [{ title: "LOCKED OUT" }, { title: "NAME" }, { title: "FOR", align: "right" }],
    processes.flatMap(({ lockedOut }) =>
      lockedOut.map(({ kind, name, wait }) => [kind, name, formatDuration(wait)]),
    ),
  );
  const [first] = processes;
  table(
    [
      { title: "ENDPOINT" },
      { title: "QUEUED", align: "right" },
      { title: "GIVEN UP", align: "right" },
      { title: "LOST", align: "right" },
    ],
    (first?.notifications ?? []).map((one) => [
      one.endpoint,
      String(one.queued),
      String(one.dead),
      String(one.dropped),
    ]),
  );
  if (first === undefined) lines.push("", "Nobody serves it");
  return lines.map((line) => `${line}\n`).join("");
}
