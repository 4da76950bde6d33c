import { deleteTenant, RegistryError } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";
import { openTenants } from "../tenants/open-stores.ts";
import { CLUSTER_OPTIONS, FOLDER_OPTIONS } from "../tenants/options.ts";
import { findCluster } from "../tenants/places.ts";
import { removalCommands } from "../tenants/print.ts";
import { reachCluster } from "../tenants/reach-cluster.ts";

export const tenantDelete: Command = defineCommand({
  name: "tenant delete",
  summary: "End a tenant: its logins, and what lies in its namespaces",
  details: [
    "Takes its Secrets and its entry in ServiceAccounts out of its namespaces, and nothing else; namespaces stay. Then its logins end.",
    "Images have to be spoken of where there are any. Those that are kept belong to nobody until a tenant of this name is made again; deleting a second time, with --delete-images, ends them.",
  ],
  options: {
    "keep-images": { type: "boolean", summary: "Keep its images, for a later tenant of this name" },
    "delete-images": { type: "boolean", summary: "Delete its images" },
    ...CLUSTER_OPTIONS,
    ...FOLDER_OPTIONS,
  },
  arguments: [{ name: "NAME", summary: "The tenant" }],
  examples: [
    { command: "dray tenant delete acme --delete-images", summary: "With everything it had" },
    {
      command: "dray tenant delete acme --keep-images --print",
      summary: "When its cluster is gone, or somebody else's",
    },
  ],
  async run({ values, positionals }, context) {
    const [name = ""] = positionals;
    if (values["keep-images"] === true && values["delete-images"] === true) {
      throw new UsageError(
        "Options --keep-images and --delete-images contradict each other",
        "tenant delete",
      );
    }
    const images =
      values["keep-images"] === true ? "keep" : values["delete-images"] === true ? "delete" : undefined;
    await using stores = await openTenants(values, context, { change: true });
    const tenant = await stores.tenants.find(name);
    if (tenant === undefined) {
      throw new RegistryError(
        "TENANT_UNKNOWN",
        `Cannot delete tenant ${JSON.stringify(name)}: there is none of that name`,
      );
    }
    const asks = values.kubeconfig !== undefined || values.context !== undefined;
    const print =
      tenant.namespaces.length > 0 && (values.print === true || (tenant.cluster === undefined && !asks));
    const cluster = print ? undefined : await findCluster(values, tenant, context);
    await using reached = await reachCluster(cluster, tenant, context);
    const { kept } = await deleteTenant(stores, name, {
      metadata: stores.metadata(),
      delivery: reached?.delivery,
      images,
      clock: () => context.clock.now(),
      signal: context.signal,
    });
    if (!stores.guarded && (await stores.tenants.list({ limit: 1 })).length === 0) {
      const open = "a registry without access rules is open to everybody again, whatever it holds";
      void context.stderr.write(`dray: That was the last tenant; ${open}\n`);
    }
    const commands = print ? removalCommands(tenant) : [];
    if (values.json === true) {
      const told = { tenant: name, deleted: true, imagesKept: kept, ...(print && { commands }) };
      await context.stdout.write(`${JSON.stringify(told)}\n`);
      return;
    }
    const what = kept ? "deleted; its images stay" : "deleted";
    await context.stdout.write([`Tenant ${name} ${what}`, ...commands].map((line) => `${line}\n`).join(""));
  },
});
