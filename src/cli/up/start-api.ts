/** The Kubernetes API that `dray up` serves: its objects, its door, and the controllers behind it. */
import { join } from "node:path";

import { DigestMemory } from "../../admission/index.ts";
import type { ApiServer, ListeningApi } from "../../apiserver/index.ts";
import type { NodeKeyring } from "../../images/index.ts";
import { KubernetesClient } from "../../kubernetes/index.ts";
import type { CommandContext } from "../context.ts";
import { describeError } from "../report-error.ts";
import { admissionChain } from "../webhook/admission-chain.ts";
import { clusterPullObjects } from "../webhook/pull-objects.ts";
import { RegistryDigests } from "../webhook/registry-digests.ts";
import type { AdmissionSettings } from "../webhook/settings-file.ts";
import type { NodeRegistry } from "./node-registry.ts";
import type { PodView } from "./pod-view.ts";

export interface ApiOptions {
  /** 6443 by default, or any free port where something else has that one. */
  readonly port?: number | undefined;
  readonly admission?: AdmissionSettings | undefined;
}

export interface RunningApi {
  readonly listening: ListeningApi;
  /** A client in this process, as the administrator. */
  client(userAgent: string): KubernetesClient;
}

/** What pinning needs of the node, which begins after the API does. */
export interface PinningNeeds {
  keyring?: NodeKeyring;
  registry?: NodeRegistry;
}

const DEFAULT_PORT = 6443;

export interface ApiWiring {
  readonly dataDir: string;
  readonly context: CommandContext;
  readonly view: PodView;
  /** Closes the API at its end. */
  readonly stack: AsyncDisposableStack;
  readonly pinning: PinningNeeds;
}

/** A port or a folder that can't be had says why, and the node goes on with its folder alone. */
export async function startApi(
  options: ApiOptions,
  wiring: ApiWiring,
): Promise<{ readonly api?: RunningApi; readonly failure?: unknown }> {
  const { view, context } = wiring;
  try {
    return { api: await openApi(options, wiring) };
  } catch (failure) {
    if (context.signal.aborted) throw failure;
    const { code, message } = describeError(failure);
    const how =
      code === "ADDRESS_IN_USE" ? ` (for one, --api-port ${(options.port ?? DEFAULT_PORT) + 1})` : "";
    view.note(`dray: ${message}${how}; the node goes on without it`);
    return { failure };
  }
}

async function openApi(options: ApiOptions, wiring: ApiWiring): Promise<RunningApi> {
  const { dataDir, view, stack } = wiring;
  const { openApiServer, startControllers } = await import("../../apiserver/index.ts");
  const onFailure = (error: unknown): void => view.note(`dray: ${describeError(error).message}`);
  const clients: { api?: KubernetesClient } = {};
  const digests = openDigests(options, { ...wiring, clients });
  if (digests !== undefined) stack.use(digests);
  const { all: plugins } = admissionChain(options.admission ?? { alwaysPullImages: false }, { digests });
  const server = stack.use(
    await openApiServer({
      folder: join(dataDir, "api"),
      kubeconfig: join(dataDir, "kubeconfig"),
      plugins,
      onFailure,
    }),
  );
  const client = (userAgent: string): KubernetesClient =>
    new KubernetesClient({ transport: server.transport(), server: "https://api", userAgent });
  clients.api = client("dray-admission");
  const listening = await listen(server, options.port);
  const ending = new AbortController();
  const controllers = startControllers({
    client: client("kube-controller-manager"),
    authority: listening.authority,
    signal: ending.signal,
    onError: onFailure,
  });
  stack.defer(async () => {
    ending.abort(new Error("dray up ends"));
    await controllers.stopped;
  });
  return { listening, client };
}

/** A second `dray up` on one machine has another port, and its kubeconfig says which. */
async function listen(server: ApiServer, port: number | undefined): Promise<ListeningApi> {
  if (port !== undefined) return await server.listen({ port });
  try {
    return await server.listen({ port: DEFAULT_PORT });
  } catch (error) {
    if (describeError(error).code !== "ADDRESS_IN_USE") throw error;
    return await server.listen({ port: 0 });
  }
}

/** Looks tags up as the Pods that name them would, with what the node knows. */
function openDigests(
  { admission }: ApiOptions,
  { context, view, pinning, clients }: ApiWiring & { readonly clients: { api?: KubernetesClient } },
): DigestMemory | undefined {
  const settings = admission?.pinning;
  if (settings === undefined) return undefined;
  const notYet = { failure: { code: "UNREACHABLE", message: "the node is only starting" } } as const;
  return new DigestMemory({
    resolver: {
      resolve: async (question, resolving) => {
        const { keyring, registry } = pinning;
        if (keyring === undefined || registry === undefined || clients.api === undefined) return notYet;
        const digests = new RegistryDigests({
          objects: clusterPullObjects(clients.api),
          keyring,
          repository: (reference, credential) => registry.repository(reference, credential),
        });
        return await digests.resolve(question, resolving);
      },
    },
    now: () => context.clock.now(),
    startTimer: (milliseconds, callback) => {
      const timer = setTimeout(callback, milliseconds);
      return () => clearTimeout(timer);
    },
    ttl: settings.ttl,
    stale: settings.stale,
    keep: settings.keep,
    onError: (error) => view.note(`dray: ${describeError(error).message}`),
  });
}
