import type { PodEvent, PodState } from "../../node/index.ts";
import { type Command, defineCommand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { dataDir } from "../settings.ts";
import { STORE_OPTIONS } from "../shared-options.ts";
import { createStyle } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";
import { formatBytes, formatDuration } from "../terminal/units.ts";
import { printable } from "../terminal/width.ts";
import { renderPods } from "../up/render-pods.ts";
import { isAlive, type NodeStatus, readStatus } from "../up/status-file.ts";

export const status: Command = defineCommand({
  name: "status",
  summary: "Show what the node of dray up says of its Pods",
  details: [
    "Reads what the node writes into its data directory at every change; it needs no port and disturbs nobody. Each container's image is a line, with the reason and message kubectl would show; --events adds what happened, in the kubelet's words, to Pods and to the node itself; --images what a Node's status would say of the images that are here.",
    "With --json each Pod also has its status as the API would have it.",
    "Exit code 1 says that the node isn't running any more, and that this is its last word.",
  ],
  options: {
    events: { type: "boolean", short: "e", summary: "Also list events, the latest last" },
    images: { type: "boolean", short: "i", summary: "Also list the images that are here, the largest first" },
    namespace: { type: "string", short: "n", value: "NAME", summary: "Only Pods of this namespace" },
    ...STORE_OPTIONS,
  },
  arguments: [{ name: "POD", summary: "Only Pods of this name", optional: true }],
  examples: [
    { command: "dray status --events web", summary: "See why Pod web waits" },
    {
      command: "dray status --json | jq '.pods[].containers[] | select(.phase == \"failed\")'",
      summary: "What failed, for programs",
    },
  ],
  async run({ values, positionals }, context) {
    const [name] = positionals;
    const { namespace } = values;
    const all = await readStatus(dataDir(values, context));
    const wanted = (pod: PodState): boolean =>
      (name === undefined || pod.name === name) && (namespace === undefined || pod.namespace === namespace);
    const running = all.running && isAlive(all.pid);
    const told: NodeStatus = { ...all, running, pods: all.pods.filter(wanted) };
    if (values.json === true) await context.stdout.write(`${JSON.stringify(told)}\n`);
    else {
      await print(told, context, {
        events: values.events === true,
        ofNode: name === undefined && namespace === undefined,
        images: values.images === true,
      });
    }
    return running ? 0 : 1;
  },
});

async function print(
  told: NodeStatus,
  context: CommandContext,
  wanted: { readonly events: boolean; readonly ofNode: boolean; readonly images: boolean },
): Promise<void> {
  const { stdout, stderr, clock, env } = context;
  const now = clock.now();
  const style = createStyle(stdout, env);
  const lines = [...renderPods(told, { width: stdout.columns - 1, style })];
  if (wanted.events) {
    const ofPods = told.pods.flatMap((pod) => pod.events.map((event) => ({ object: nameOf(pod), event })));
    const ofNode = wanted.ofNode ? told.events.map((event) => ({ object: `node/${told.node}`, event })) : [];
    const rows = [...ofPods, ...ofNode]
      .toSorted((a, b) => a.event.last - b.event.last)
      .map(({ object, event }) => describeEvent(object, event, now));
    if (rows.length > 0) lines.push("", ...renderTable({ columns: COLUMNS, rows, width: LONG, style }));
  }
  if (wanted.images) {
    const rows = told.images.map(({ names, sizeBytes }) => [
      formatBytes(sizeBytes),
      names.map(printable).join(" "),
    ]);
    if (rows.length > 0) lines.push("", ...renderTable({ columns: IMAGE_COLUMNS, rows, width: LONG, style }));
  }
  await stdout.write(lines.map((line) => `${line}\n`).join(""));
  if (told.running) return;
  const ago = formatDuration(now - told.updatedAt);
  void stderr.write(`The node isn't running; this is how things stood ${ago} ago\n`);
}

const IMAGE_COLUMNS = [{ title: "SIZE", align: "right" }, { title: "NAMES" }] as const;

const COLUMNS = [
  { title: "LAST SEEN" },
  { title: "TYPE" },
  { title: "REASON" },
  { title: "OBJECT" },
  { title: "COUNT", align: "right" },
  { title: "MESSAGE" },
] as const;

/** Messages are what somebody came for: none is cut. */
const LONG = 100_000;

function nameOf({ namespace, name }: PodState): string {
  return namespace === "default" ? name : `${namespace}/${name}`;
}

function describeEvent(about: string, event: PodEvent, now: number): readonly string[] {
  const { type, reason, message, fieldPath, count, last } = event;
  const object = fieldPath === undefined ? about : `${about} ${fieldPath}`;
  const ago = formatDuration(Math.max(0, now - last));
  return [ago, type, reason, object, String(count), message].map(printable);
}
