import { type CollectResult, openRegistryDirectory } from "../../registry/index.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import { type Command, defineCommand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { FOLDER_OPTIONS, resolveRegistry } from "../registry/options.ts";
import { readDuration } from "../settings.ts";
import { createStyle } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";
import { formatBytes } from "../terminal/units.ts";

export const registryGc: Command = defineCommand({
  name: "registry gc",
  summary: "Apply a registry's retention rules and delete what nothing leads to",
  details: [
    "What a registry that serves does by itself now and then, done now. It is safe beside pushes, pulls and deletes of any process: what somebody pushed or was told of lately stays.",
    "Tags go first, in a later run the manifests that nothing else names, and then their blobs. Under LATER a dry run shows what repositories lose in that way after all, beside what this run would take.",
  ],
  options: {
    ...FOLDER_OPTIONS,
    "dry-run": { type: "boolean", short: "n", summary: "Say what would go, and delete nothing" },
    grace: {
      type: "string",
      value: "DURATION",
      summary: "Keep what was pushed or asked for within this time; an hour by default",
    },
    verbose: { type: "boolean", short: "v", summary: "Name everything that goes, and why" },
  },
  arguments: [],
  examples: [
    {
      command: "dray registry gc --config registry.yaml --dry-run",
      summary: "See what would go, by repository",
    },
  ],
  async run({ values }, context) {
    const grace = readDuration(values.grace, "--grace");
    const { settings, folder } = await resolveRegistry(values, context);
    makeFolder(folder, { mode: 0o700 });
    await using registry = await openRegistryDirectory(folder, {
      limits: settings.limits,
      collection: {
        ...settings.collection,
        every: undefined,
        timeLimit: undefined,
        grace: grace ?? settings.collection.grace,
      },
      purgeInterval: 0,
      clock: () => context.clock.now(),
    });
    const json = values.json === true;
    const dryRun = values["dry-run"] === true;
    const result = await registry.collect({
      dryRun,
      signal: context.signal,
      onVerdict: (verdict) => {
        if (verdict.keep || values.verbose !== true) return;
        const { kind, repository, digest, reason } = verdict;
        const what =
          verdict.kind === "tag" ? `${repository}:${verdict.name}` : `${repository ?? "store"}@${digest}`;
        const line = json ? JSON.stringify(verdict) : `${kind}  ${what}  ${reason}`;
        void context.stdout.write(`${line}\n`);
      },
    });
    if (json) await context.stdout.write(`${JSON.stringify(toJson(result, dryRun))}\n`);
    else await context.stdout.write(describe(result, dryRun, context));
  },
});

function toJson({ retained, collected, later }: CollectResult, dryRun: boolean): unknown {
  return {
    dryRun,
    retained: retained && Object.fromEntries(retained.repositories),
    repositories: Object.fromEntries(collected.repositories),
    freed: collected.freed,
    later: later && Object.fromEntries(later),
  };
}

function describe(result: CollectResult, dryRun: boolean, context: CommandContext): string {
  const { retained, collected, later } = result;
  const parts = [retained?.repositories, collected.repositories, later];
  const names = new Set(parts.flatMap((part) => [...(part?.keys() ?? [])]));
  const rows = [...names].toSorted().map((name) => {
    const rules = retained?.repositories.get(name);
    const blobs = collected.repositories.get(name);
    return [
      name,
      String(rules?.tags ?? 0),
      String(rules?.manifests ?? 0),
      String(blobs?.count ?? 0),
      formatBytes(blobs?.bytes ?? 0),
      ...(later === undefined ? [] : [formatBytes(later.get(name)?.blobs.bytes ?? 0)]),
    ];
  });
  const columns = [
    { title: "REPOSITORY" },
    { title: "TAGS", align: "right" },
    { title: "MANIFESTS", align: "right" },
    { title: "BLOBS", align: "right" },
    { title: "SIZE", align: "right" },
    ...(later === undefined ? [] : [{ title: "LATER", align: "right" } as const]),
  ] as const;
  const style = createStyle(context.stdout, context.env);
  const { count, bytes } = collected.freed;
  return [
    ...(rows.length === 0 ? [] : renderTable({ columns, rows, style })),
    `${dryRun ? "Would free" : "Freed"} ${formatBytes(bytes)}: ${count} contents that no repository shows`,
  ]
    .map((line) => `${line}\n`)
    .join("");
}
