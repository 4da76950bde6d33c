import { measureTenant, RegistryError, type TenantUsage } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { describeUsage, type LoginView, type TenantView, viewTenant } from "../tenants/describe.ts";
import { openTenants } from "../tenants/open-stores.ts";
import { FOLDER_OPTIONS } from "../tenants/options.ts";

export const tenantShow: Command = defineCommand({
  name: "tenant show",
  summary: "Show a tenant: what it holds, of how much, and until when its logins work",
  details: ["Secrets are shown when they are made, and never again: only hashes of them are kept."],
  options: { ...FOLDER_OPTIONS },
  arguments: [{ name: "NAME", summary: "The tenant" }],
  examples: [{ command: "dray tenant show acme --json | jq .usage", summary: "What it holds, for programs" }],
  async run({ values, positionals }, context) {
    const [name = ""] = positionals;
    await using stores = await openTenants(values, context, { change: false });
    const tenant = await stores.tenants.find(name);
    if (tenant === undefined) {
      const message = `Cannot show tenant ${JSON.stringify(name)}: there is none of that name`;
      throw new RegistryError("TENANT_UNKNOWN", message);
    }
    const view = await viewTenant(tenant, stores.access);
    const usage = await measureTenant(stores.metadata(), name, { signal: context.signal });
    await context.stdout.write(
      values.json === true ? `${JSON.stringify({ ...view, usage })}\n` : describe(view, usage),
    );
  },
});

function describe(view: TenantView, usage: TenantUsage): string {
  const [bytes = "", tags = ""] = describeUsage(usage, view.quota);
  const push = view.allowDelete ? "pulls, pushes and deletes" : "pulls and pushes";
  const { cluster } = view;
  const rows: (readonly [string, string])[] = [
    ["Tenant", view.name],
    ["State", view.changingSince === null ? view.state : `${view.state} since ${time(view.changingSince)}`],
    ["Images", `${view.registry}/${view.prefix}…`],
    ["Repositories", String(usage.repositories)],
    ["Bytes", bytes],
    ["Tags", tags],
    ["Created", time(view.createdAt)],
    ...loginRows(view.logins.push, push),
    ...loginRows(view.logins.pull, "pulls"),
    ...view.namespaces.map(
      (one) => ["Namespace", `${one.name} ${one.pushes ? "pulls and pushes" : "pulls"}`] as const,
    ),
    ...(cluster === null
      ? []
      : [
          [
            "Cluster",
            cluster.context === null ? cluster.kubeconfig : `${cluster.kubeconfig} (${cluster.context})`,
          ] as const,
        ]),
  ];
  return rows.map(([title, text]) => `${(title === "" ? "" : `${title}:`).padEnd(14)}${text}\n`).join("");
}

function loginRows({ login, secrets }: LoginView, may: string): (readonly [string, string])[] {
  return [
    ["Login", `${login} ${may}`],
    ...secrets.map(({ createdAt, expiresAt }) => {
      const end = expiresAt === null ? "" : `, ends ${time(expiresAt)}`;
      return ["", `secret of ${time(createdAt)}${end}`] as const;
    }),
  ];
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, "Z");
}
