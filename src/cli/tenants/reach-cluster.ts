import type { TenantCluster } from "../../registry/index.ts";
import type { CommandContext } from "../context.ts";
import { connectAsPerson } from "../webhook/cluster.ts";
import { ClusterDelivery } from "./cluster-delivery.ts";

export interface ReachedCluster extends AsyncDisposable {
  readonly delivery: ClusterDelivery;
}

/** What is changed there is told on stderr. `undefined` for no cluster. */
export async function reachCluster(
  cluster: TenantCluster | undefined,
  tenant: { readonly name: string; readonly registry: string },
  context: CommandContext,
): Promise<ReachedCluster | undefined> {
  if (cluster === undefined) return undefined;
  const connected = await connectAsPerson(
    { kubeconfig: cluster.kubeconfig, ...(cluster.context !== undefined && { context: cluster.context }) },
    context,
  );
  const delivery = new ClusterDelivery({
    client: connected.client,
    tenant,
    onChange: (text) => void context.stderr.write(`${text}\n`),
    signal: context.signal,
  });
  return { delivery, [Symbol.asyncDispose]: () => connected.close() };
}
