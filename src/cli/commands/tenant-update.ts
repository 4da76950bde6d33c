import { getTenant, setTenantQuota } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";
import { openTenants } from "../tenants/open-stores.ts";
import { FOLDER_OPTIONS, QUOTA_OPTIONS, readQuota } from "../tenants/options.ts";
import { describeQuota } from "../tenants/describe.ts";

export const tenantUpdate: Command = defineCommand({
  name: "tenant update",
  summary: "Give a tenant another quota",
  details: [
    "Holds from the next request on. Below what is there already, nothing is taken away, and nothing more is let in.",
  ],
  options: { ...QUOTA_OPTIONS, ...FOLDER_OPTIONS },
  arguments: [{ name: "NAME", summary: "The tenant" }],
  examples: [{ command: "dray tenant update acme --quota 100GB --tags none", summary: "Give it more room" }],
  async run({ values, positionals }, context) {
    const [name = ""] = positionals;
    if (values.quota === undefined && values.tags === undefined) {
      throw new UsageError("There is nothing to change: add --quota, --tags or both", "tenant update");
    }
    const changes = readQuota(values);
    await using stores = await openTenants(values, context, { change: true });
    const { quota } = await getTenant(stores.tenants, name);
    const updated = await setTenantQuota(stores, name, { ...quota, ...changes });
    await context.stdout.write(
      values.json === true
        ? `${JSON.stringify({ tenant: name, quota: updated.quota })}\n`
        : `Tenant ${name} may hold ${describeQuota(updated.quota)}\n`,
    );
  },
});
