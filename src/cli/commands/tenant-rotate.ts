import { getTenant, rotateTenant, type TenantNamespace } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";
import { readDuration } from "../settings.ts";
import { checkLogin } from "../tenants/check-login.ts";
import { handOver } from "../tenants/hand-over.ts";
import { openTenants } from "../tenants/open-stores.ts";
import {
  CHECK_OPTIONS,
  CLUSTER_OPTIONS,
  FOLDER_OPTIONS,
  NAMESPACE_OPTIONS,
  readNamespaces,
  readRegistry,
} from "../tenants/options.ts";
import { findCluster } from "../tenants/places.ts";
import { reachCluster } from "../tenants/reach-cluster.ts";

const DAY = 24 * 60 * 60 * 1_000;

export const tenantRotate: Command = defineCommand({
  name: "tenant rotate",
  summary: "Replace a tenant's logins, with no moment in which none works",
  details: [
    "New logins work before anybody gets them. Then the Secrets in all its namespaces are written and looked at again; only then the old logins begin to end, after the overlap.",
    "Cut short, at whatever point, it leaves the old logins as good as before; the same command goes on from there. Namespaces that are named here join the tenant.",
  ],
  options: {
    overlap: {
      type: "string",
      value: "DURATION",
      summary: "How long the logins of before work on; 24h by default",
    },
    ...NAMESPACE_OPTIONS,
    ...CHECK_OPTIONS,
    ...CLUSTER_OPTIONS,
    ...FOLDER_OPTIONS,
  },
  arguments: [{ name: "NAME", summary: "The tenant" }],
  examples: [
    { command: "dray tenant rotate acme", summary: "Once a month" },
    { command: "dray tenant rotate acme --overlap 0", summary: "When somebody saw the old ones" },
    { command: "dray tenant rotate acme --pull-only-namespace shop-eu", summary: "Add a namespace" },
  ],
  async run({ values, positionals }, context) {
    const [name = ""] = positionals;
    const overlap = readDuration(values.overlap, "--overlap") ?? DAY;
    const added = readNamespaces(values);
    if (values.print === true && values["create-namespaces"] === true) {
      throw new UsageError("Options --print and --create-namespaces contradict each other", "tenant rotate");
    }
    const registry = values.registry === undefined ? undefined : readRegistry(values.registry);
    await using stores = await openTenants(values, context, { change: true });
    const known = await getTenant(stores.tenants, name);
    const namespaces = join(known.namespaces, added);
    const wasPrinted = known.cluster === undefined && known.namespaces.length > 0;
    const asks = values.kubeconfig !== undefined || values.context !== undefined;
    const print = values.print === true || (wasPrinted && !asks);
    const tenant = { ...known, namespaces, registry: registry ?? known.registry };
    const cluster = print ? undefined : await findCluster(values, tenant, context);
    await using reached = await reachCluster(cluster, tenant, context);
    await reached?.delivery.prepare(added, { create: values["create-namespaces"] === true });
    const changes = {
      ...(added.length > 0 && { namespaces }),
      ...(registry !== undefined && { registry }),
      ...(cluster !== undefined && asks && { cluster }),
      ...(cluster !== undefined && known.cluster === undefined && { cluster }),
    };
    const { folder } = stores;
    await rotateTenant(stores, name, {
      ...(Object.keys(changes).length > 0 && { changes }),
      overlap,
      delivery: reached?.delivery,
      check: (login) => checkLogin(login, { registry: tenant.registry, folder, connection: values }, context),
      hand: (logins, record) => {
        const until = context.clock.now() + overlap;
        return handOver(record, logins, { print, json: values.json === true, until }, context);
      },
      onGone: ({ name: gone }) =>
        void context.stderr.write(`Warning: namespace ${gone} isn't in the cluster; it was left out\n`),
      clock: () => context.clock.now(),
      signal: context.signal,
    });
  },
});

/** A namespace that is named again is what it is called now. */
function join(
  known: readonly TenantNamespace[],
  added: readonly TenantNamespace[],
): readonly TenantNamespace[] {
  const names = new Set(added.map((one) => one.name));
  return [...known.filter((one) => !names.has(one.name)), ...added];
}
