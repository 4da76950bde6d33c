import { join } from "node:path";

import type { CriClient } from "../../cri/index.ts";
import { CriError, openCriClient } from "../../cri/index.ts";
import { type Command, defineCommand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { SOCKET_OPTIONS } from "../cri/options.ts";
import { describeError } from "../report-error.ts";
import { dataDir, readSocket } from "../settings.ts";
import { STORE_OPTIONS } from "../shared-options.ts";
import { createStyle } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";
import { formatBytes, formatDuration, formatRate } from "../terminal/units.ts";
import { printable } from "../terminal/width.ts";

export const pulls: Command = defineCommand({
  name: "pulls",
  summary: "Show the pulls that a running dray cri has under way",
  details: [
    "Asks over the service's own socket, so whoever may pull may also look. With --follow each change is a line, until the service ends or Ctrl-C.",
  ],
  options: {
    follow: { type: "boolean", short: "f", summary: "Go on, and tell each change" },
    ...SOCKET_OPTIONS,
    ...STORE_OPTIONS,
  },
  arguments: [],
  examples: [
    { command: "dray pulls", summary: "How far pulls are now" },
    { command: "dray pulls --follow --json | jq -c .phase", summary: "Hear of every change, in a program" },
  ],
  async run({ values }, context) {
    const named = readSocket(values.socket, "--socket", context.cwd);
    const socket = named ?? join(dataDir(values, context), "cri.sock");
    using client = openCriClient(socket);
    const follow = values.follow === true;
    const json = values.json === true;
    const rows: (readonly string[])[] = [];
    for await (const pull of watch(client, { follow, socket, signal: context.signal })) {
      if (json) await context.stdout.write(`${JSON.stringify(pull)}\n`);
      else if (follow) await context.stdout.write(`${describe(pull).join("  ")}\n`);
      else rows.push(describe(pull));
    }
    if (rows.length > 0) await print(rows, context);
  },
});

/** As JSON shows it. */
interface ShownPull {
  readonly id: number;
  readonly image: string;
  readonly podUid: string;
  readonly phase: string;
  readonly bytes: number;
  readonly total: number;
  readonly contents: readonly { readonly phase: string }[];
  /** Bytes a second; null while it can't be told. */
  readonly rate: number | null;
  readonly millisecondsLeft: number | null;
}

async function* watch(
  client: CriClient,
  options: { readonly follow: boolean; readonly socket: string; readonly signal: AbortSignal },
): AsyncGenerator<ShownPull> {
  const { follow, socket, signal } = options;
  try {
    for await (const { pull } of client.pulls.watch({ follow }, { signal })) {
      if (pull === undefined) continue;
      yield {
        id: Number(pull.id),
        image: pull.image,
        podUid: pull.podUid,
        phase: pull.phase,
        bytes: Number(pull.bytes),
        total: Number(pull.total),
        contents: pull.contents.map(({ digest, mediaType, size, bytes, phase }) => ({
          digest,
          mediaType,
          size: Number(size),
          bytes: Number(bytes),
          phase,
        })),
        rate: pull.rate ?? null,
        millisecondsLeft: pull.millisecondsLeft ?? null,
      };
    }
  } catch (cause) {
    signal.throwIfAborted();
    // gRPC's errors put their code before what they say.
    const why =
      cause instanceof Error && "rawMessage" in cause
        ? String(cause.rawMessage)
        : describeError(cause).message;
    throw new CriError(
      "SOCKET_UNUSABLE",
      `Cannot ask ${JSON.stringify(socket)} for its pulls: ${why}; is dray cri running there?`,
      { cause },
    );
  }
}

const COLUMNS = [
  { title: "IMAGE" },
  { title: "PHASE" },
  { title: "DONE" },
  { title: "RATE" },
  { title: "LEFT" },
] as const;

function describe(pull: ShownPull): readonly string[] {
  const { image, bytes, total, rate, millisecondsLeft } = pull;
  return [
    printable(image),
    phaseOf(pull),
    total === 0 ? "-" : `${formatBytes(bytes)} of ${formatBytes(total)}`,
    rate === null ? "-" : formatRate(rate),
    millisecondsLeft === null ? "-" : formatDuration(millisecondsLeft),
  ];
}

/** A pull may do nothing itself but wait for what another process fetches into the same store. */
function phaseOf({ phase, contents }: ShownPull): string {
  const phases = new Set(contents.map((content) => content.phase));
  return phase === "fetching" && phases.has("awaited") && !phases.has("fetching") ? "awaiting" : phase;
}

async function print(rows: readonly (readonly string[])[], { stdout, env }: CommandContext): Promise<void> {
  const style = createStyle(stdout, env);
  const lines = renderTable({ columns: COLUMNS, rows, width: Math.max(stdout.columns - 1, 80), style });
  await stdout.write(lines.map((line) => `${line}\n`).join(""));
}
