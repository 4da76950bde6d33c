import { existsSync } from "node:fs";
import { join } from "node:path";

import { type NotificationEvent, NotificationQueue, NOTIFICATIONS_FILE } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { FOLDER_OPTIONS, resolveRegistry } from "../registry/options.ts";
import { readCount } from "../settings.ts";
import { createStyle } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";
import { formatDuration } from "../terminal/units.ts";
import { printable } from "../terminal/width.ts";

const USUAL = 20;

export const registryNotifications: Command = defineCommand({
  name: "registry notifications",
  summary: "Show which notifications of a registry wait and which were given up, and send those again",
  details: [
    "Reads the queue in the registry's folder, whether or not the registry runs. --retry queues what was given up once more, behind all that waits.",
  ],
  options: {
    ...FOLDER_OPTIONS,
    retry: { type: "boolean", summary: "Send again what was given up" },
    last: { type: "string", value: "NUMBER", summary: "List so many that were given up; 20 by default" },
  },
  arguments: [],
  examples: [{ command: "dray registry notifications --retry", summary: "After a receiver was mended" }],
  async run({ values }, context) {
    const last = readCount(values.last, "--last") ?? USUAL;
    const { folder } = await resolveRegistry(values, context);
    const path = join(folder, NOTIFICATIONS_FILE);
    // Looking shall not make a queue where there is none.
    if (!existsSync(path)) return;
    using queue = new NotificationQueue(path);
    const now = context.clock.now();
    const json = values.json === true;
    if (values.retry === true) {
      const revived = queue.revive(now);
      await context.stdout.write(json ? `${JSON.stringify({ revived })}\n` : `Queued ${revived} once more\n`);
      return;
    }
    const [tallies, dead] = [queue.tallies(), queue.listDead(last)];
    if (json) {
      const events = dead.map(({ event, ...rest }) => ({ ...rest, event: JSON.parse(event) as unknown }));
      await context.stdout.write(`${JSON.stringify({ endpoints: tallies, dead: events })}\n`);
      return;
    }
    const rows = tallies.map((one) => [
      one.endpoint,
      String(one.queued),
      one.oldest === undefined ? "" : formatDuration(now - one.oldest),
      String(one.dead),
      String(one.dropped),
    ]);
    await table(context, ["ENDPOINT", "QUEUED", "FOR", "GIVEN UP", "LOST"], rows);
    await table(
      context,
      ["GIVEN UP", "ENDPOINT", "REASON", "EVENT"],
      dead.map(({ diedAt, endpoint, reason, event }) => [
        `${formatDuration(now - diedAt)} ago`,
        endpoint,
        reason,
        describeEvent(JSON.parse(event) as NotificationEvent),
      ]),
    );
  },
});

/** What happened to what; `--json` has all of it. */
function describeEvent({ action, target }: NotificationEvent): string {
  const { repository, tag, digest } = target;
  return printable(`${action} ${repository}${tag === undefined ? `@${digest}` : `:${tag}`}`);
}

async function table(
  { stdout, env }: CommandContext,
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<void> {
  if (rows.length === 0) return;
  const columns = titles.map((title) => ({ title }));
  const lines = renderTable({ columns, rows, style: createStyle(stdout, env) });
  await stdout.write(lines.map((line) => `${line}\n`).join(""));
}
