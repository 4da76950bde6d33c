import { createTenant, undoTenant } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { CliError, UsageError } from "../errors.ts";
import { checkLogin } from "../tenants/check-login.ts";
import { handOver } from "../tenants/hand-over.ts";
import { openTenants } from "../tenants/open-stores.ts";
import {
  CHECK_OPTIONS,
  CLUSTER_OPTIONS,
  FOLDER_OPTIONS,
  NAMESPACE_OPTIONS,
  QUOTA_OPTIONS,
  readNamespaces,
  readQuota,
  readRegistry,
} from "../tenants/options.ts";
import { findCluster, findRegistry } from "../tenants/places.ts";
import { reachCluster } from "../tenants/reach-cluster.ts";

export const tenantCreate: Command = defineCommand({
  name: "tenant create",
  summary: "Make a tenant: repositories, quota, logins, and the Secrets its Pods pull with",
  details: [
    "All that is called NAME/… belongs to it: robot+NAME pushes there, and robot+NAME.pull pulls. Each of its namespaces gets a Secret with the login that pulls, which its default ServiceAccount then hands to every new Pod; where it works (--namespace), a second Secret with the login that pushes lies beside it, for builds. What others put there stays.",
    "The first tenant closes a registry that was open to everybody: from then on it wants a login for everything. Say with --access of dray up or dray registry who else may do what.",
    "Where the registry is on another machine, run this there: it works on the registry's own data, and reaches the cluster by --kubeconfig.",
  ],
  options: {
    ...NAMESPACE_OPTIONS,
    ...QUOTA_OPTIONS,
    "allow-delete": { type: "boolean", summary: "Let the login that pushes delete, too" },
    ...CHECK_OPTIONS,
    ...CLUSTER_OPTIONS,
    ...FOLDER_OPTIONS,
  },
  arguments: [{ name: "NAME", summary: 'What its repositories begin with: a-z, 0-9 and "-"' }],
  examples: [
    {
      command: "dray tenant create acme --namespace shop --quota 50GB --tags 1000",
      summary: "With the API of dray up",
    },
    {
      command:
        "dray tenant create acme --registry registry.example.com --namespace ci --pull-only-namespace shop --kubeconfig admin.conf",
      summary: "On a cluster; builds run in ci, Pods in both",
    },
    {
      command: "dray tenant create acme --namespace shop --print | kubectl apply -f -",
      summary: "Let somebody else apply it",
    },
  ],
  async run({ values, positionals }, context) {
    const [name = ""] = positionals;
    const namespaces = readNamespaces(values);
    if (values.print === true && values["create-namespaces"] === true) {
      throw new UsageError("Options --print and --create-namespaces contradict each other", "tenant create");
    }
    const given = values.registry === undefined ? undefined : readRegistry(values.registry);
    const quota = readQuota(values);
    await using stores = await openTenants(values, context, { change: true });
    const registry = given ?? (await findRegistry(values, context));
    const print = values.print === true;
    const cluster = await findCluster(values, { name, namespaces }, context);
    const draft = { name, registry, quota, deletes: values["allow-delete"] === true, namespaces, cluster };
    await using reached = await reachCluster(cluster, draft, context);
    await reached?.delivery.prepare(namespaces, { create: values["create-namespaces"] === true });
    const { folder } = stores;
    const isNew = (await stores.tenants.find(name)) === undefined;
    let isHanded = false;
    const creating = createTenant(stores, draft, {
      delivery: reached?.delivery,
      check: (login) => checkLogin(login, { registry, folder, connection: values }, context),
      hand: async (logins, tenant) => {
        await handOver(tenant, logins, { print, json: values.json === true }, context);
        isHanded = true;
      },
      overlap: 0,
      onGone: ({ name: gone }) => void context.stderr.write(`Warning: namespace ${gone} went meanwhile\n`),
      clock: () => context.clock.now(),
      signal: context.signal,
    });
    try {
      await creating;
    } catch (error) {
      // Nobody has anything of it, and this folder is the wrong place.
      if (isNew && error instanceof CliError && error.code === "REGISTRY_MISMATCH") {
        await undoTenant(stores, name);
      }
      throw error;
    }
    if (isHanded) return;
    const how = `its logins were shown before; dray tenant rotate ${name} makes others`;
    await context.stderr.write(`Tenant ${name} is made now: ${how}\n`);
  },
});
