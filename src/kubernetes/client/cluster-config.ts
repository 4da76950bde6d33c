import { type ApiCredentialSource, authenticate, type Impersonation } from "./authenticate.ts";
import { KubernetesClient, type KubernetesClientOptions } from "./client.ts";
import { HttpsTransport, type HttpsTransportOptions } from "./transport.ts";

/** Where an API server is, and how it is known to be the one. */
export interface ClusterInfo extends HttpsTransportOptions {
  /** `https://10.0.0.1:6443` */
  readonly server: string;
  /** Handed to exec plugins. */
  readonly execConfig?: unknown;
}

/** All it takes to speak to an API server. */
export interface ClusterConfig extends ClusterInfo {
  readonly namespace: string;
  readonly credentials: ApiCredentialSource;
  readonly impersonate?: Impersonation | undefined;
}

/** A client with a transport of its own; close it to let go of the connections. */
export interface ConnectedClient extends AsyncDisposable {
  readonly client: KubernetesClient;
  close(): Promise<void>;
}

export function connectToCluster(
  config: ClusterConfig,
  options: Omit<KubernetesClientOptions, "transport" | "server"> = {},
): ConnectedClient {
  const connection = new HttpsTransport(config);
  const transport = authenticate(connection, config.credentials, config.impersonate);
  const { server, namespace } = config;
  const client = new KubernetesClient({ namespace, ...options, server, transport });
  const close = (): Promise<void> => connection.close();
  return { client, close, [Symbol.asyncDispose]: close };
}
