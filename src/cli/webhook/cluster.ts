/** The API server a webhook belongs to. */
import type { ConnectedClient } from "../../kubernetes/index.ts";
import type { CommandContext } from "../context.ts";
import { readVersion } from "../version.ts";

export const CLUSTER_OPTIONS = {
  kubeconfig: {
    type: "string",
    value: "FILE",
    summary: "Reach the API server as this file says; in a Pod, as its own ServiceAccount",
  },
  context: { type: "string", value: "NAME", summary: "Which context of the kubeconfig" },
} as const;

export interface ClusterValues {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** Undefined outside of clusters, unless a kubeconfig is named: what a person's own one says isn't meant for servers. */
export async function connectWebhook(
  values: ClusterValues,
  context: CommandContext,
): Promise<ConnectedClient | undefined> {
  const kubernetes = await import("../../kubernetes/index.ts");
  const { env } = context;
  const userAgent = `dray/${await readVersion()}`;
  if (values.kubeconfig === undefined && values.context === undefined) {
    if (!kubernetes.isInCluster({ env })) return undefined;
    const config = await kubernetes.loadInCluster({ env, selectProxy: await proxySelector(env) });
    return kubernetes.connectToCluster(config, { userAgent });
  }
  return await connectAsPerson(values, context);
}

/** As kubectl would. */
export async function connectAsPerson(
  { kubeconfig: file, context: name }: ClusterValues,
  { env }: Pick<CommandContext, "env">,
): Promise<ConnectedClient> {
  const { connectToCluster, loadKubeconfig } = await import("../../kubernetes/index.ts");
  const selectProxy = await proxySelector(env);
  const config = await loadKubeconfig({ env, file, context: name, selectProxy });
  return connectToCluster(config, { userAgent: `dray/${await readVersion()}` });
}

/** HTTPS_PROXY and NO_PROXY, as for registries: all of Kubernetes' programs heed them, too. */
async function proxySelector(env: CommandContext["env"]): Promise<(server: URL) => URL | undefined> {
  const { selectProxy } = await import("../../client/index.ts");
  return (server) => selectProxy(server, env);
}
