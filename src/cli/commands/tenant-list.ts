import { listTenants } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { createStyle } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";
import { formatBytes } from "../terminal/units.ts";
import { type TenantView, viewTenant } from "../tenants/describe.ts";
import { openTenants } from "../tenants/open-stores.ts";
import { FOLDER_OPTIONS } from "../tenants/options.ts";

export const tenantList: Command = defineCommand({
  name: "tenant list",
  summary: "List tenants",
  details: [
    "A state other than ready says that something was begun and not ended: the same command goes on with it. Those with images left were deleted with --keep-images.",
    "With --json each is a line.",
  ],
  options: { ...FOLDER_OPTIONS },
  arguments: [],
  examples: [
    {
      command: "dray tenant list --json | jq -r 'select(.rotatedAt == null).name'",
      summary: "Whose logins were never replaced",
    },
  ],
  async run({ values }, context) {
    const { stdout, env } = context;
    await using stores = await openTenants(values, context, { change: false });
    const rows: string[][] = [];
    for await (const tenant of listTenants(stores.tenants)) {
      const view = await viewTenant(tenant, stores.access);
      if (values.json === true) await stdout.write(`${JSON.stringify(view)}\n`);
      else rows.push(rowOf(view));
    }
    if (rows.length === 0) return;
    const columns = [
      { title: "TENANT" },
      { title: "STATE" },
      { title: "QUOTA", align: "right" },
      { title: "TAGS", align: "right" },
      { title: "LOGINS OF" },
      { title: "NAMESPACES" },
    ] as const;
    const lines = renderTable({ columns, rows, style: createStyle(stdout, env) });
    await stdout.write(lines.map((line) => `${line}\n`).join(""));
  },
});

function rowOf({ name, state, quota, rotatedAt, createdAt, namespaces }: TenantView): string[] {
  return [
    name,
    state,
    quota.bytes === null ? "-" : formatBytes(quota.bytes),
    quota.tags === null ? "-" : String(quota.tags),
    new Date(rotatedAt ?? createdAt).toISOString().slice(0, 10),
    namespaces.map((one) => one.name).join(" "),
  ];
}
