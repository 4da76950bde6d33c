/** `dray cri`: the image service of this machine, from the socket to the store. */
import { existsSync } from "node:fs";

import { type CriServer, type ImageBackend, PullAuths, type PullRequest } from "../../cri/index.ts";
import { serveCri, StoreBackend } from "../../cri/index.ts";
import { StaticSource, toCandidate, type TrackedCredential } from "../../credentials/index.ts";
import { PinFolder, StoreRuntime } from "../../images/index.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import type { SignalOptions } from "../../oci/index.ts";
import { parseReference, repositoryName } from "../../reference/index.ts";
import { openStore } from "../../store/index.ts";
import { type ConnectValues, connect } from "../connect.ts";
import type { CommandContext } from "../context.ts";
import { serveMetrics } from "../metrics/serve-metrics.ts";
import { localPlatform } from "../settings.ts";
import { type NodeCredentialOptions, openNodeCredentials } from "../up/node-credentials.ts";
import { readVersion } from "../version.ts";
import { boundMemory } from "./bound-memory.ts";
import { type ContainerdOptions, openContainerdBackend } from "./containerd.ts";
import { CriServiceMetrics } from "./metrics.ts";
import { PullRegistries } from "./registries.ts";
import type { SocketOwner } from "./socket-owner.ts";

export interface RunCriOptions {
  readonly socket: string;
  readonly owner?: SocketOwner | undefined;
  readonly dataDir: string;
  /** Whose images are served, instead of those in the data directory. */
  readonly containerd?: ContainerdOptions | undefined;
  readonly pinned: readonly string[];
  /** What pulls without a credential are tried with; without it they are anonymous. */
  readonly nodeCredentials?: NodeCredentialOptions | undefined;
  readonly credentialForms?: "containerd" | "all" | undefined;
  readonly listFilter?: "ignore" | "honour" | undefined;
  readonly progressTimeout?: number | undefined;
  readonly pullDeadline?: number | undefined;
  readonly cgroupDriver?: "systemd" | "cgroupfs" | undefined;
  readonly concurrency?: number | undefined;
  /** `undefined` serves no metrics, 0 takes any free port. */
  readonly metricsPort?: number | undefined;
  readonly connection: ConnectValues;
  readonly onWarning: (message: string) => void;
  /** Called when calls are taken. */
  readonly onServing: (serving: { readonly metricsPort: number | undefined }) => void | Promise<void>;
}

/** Milliseconds that calls under way have when the service ends; a kubelet pulls again what was cut. */
const DRAIN = 5000;

/** Serves until the context's signal. */
export async function runCri(options: RunCriOptions, context: CommandContext): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const { dataDir, metricsPort, socket, owner } = options;
  const now = (): number => context.clock.now();
  makeFolder(dataDir, { mode: 0o700 });
  const metrics = new CriServiceMetrics();
  const backend = await openBackend(options, { context, stack });
  const version = await readVersion();
  const server: CriServer = await serveCri({
    socket: {
      path: socket,
      mode: owner?.forGroup === true ? 0o660 : 0o600,
      owner,
    },
    backend,
    runtime: {
      name: "dray",
      version,
      cgroupDriver: options.cgroupDriver ?? findCgroupDriver(),
      config: { dataDir, containerd: options.containerd?.address, pinned: options.pinned },
    },
    progressTimeout: options.progressTimeout,
    pullDeadline: options.pullDeadline,
    listFilter: options.listFilter,
    metrics,
    now,
  });
  stack.defer(() => server.close(DRAIN));
  const ending = new AbortController();
  const measured =
    metricsPort === undefined
      ? undefined
      : await serveMetrics(
          { metrics: () => metrics.render(), progress: (signal) => server.pulls.watch({ signal }) },
          { host: "127.0.0.1", port: metricsPort, signal: ending.signal },
        );
  stack.defer(async () => {
    ending.abort();
    await measured?.close(1000);
  });
  await options.onServing({ metricsPort: measured?.port });
  await aborted(context.signal);
}

async function openBackend(
  options: RunCriOptions,
  { context, stack }: { readonly context: CommandContext; readonly stack: AsyncDisposableStack },
): Promise<ImageBackend> {
  const { dataDir, nodeCredentials, onWarning } = options;
  const ofNode =
    nodeCredentials &&
    (await openNodeCredentials(nodeCredentials, { context, root: dataDir, track: false, onWarning }));
  const access = stack.use(
    await connect(options.connection, [], context, { credentials: new StaticSource([]) }),
  );
  const auths = new PullAuths({ forms: options.credentialForms });
  const registries = new PullRegistries(access, { auths, candidateOf: ofNode?.candidateOf ?? toCandidate });
  const platform = localPlatform();
  const nodeSources = ofNode && lookUp;
  if (options.containerd !== undefined) {
    boundMemory();
    const common = { dataDir, auths, platform, pinned: options.pinned, concurrency: options.concurrency };
    return stack.use(
      await openContainerdBackend(options.containerd, {
        ...common,
        registry: (reference, credential) => registries.repository(reference, credential),
        nodeCredentials: nodeSources,
        now: () => context.clock.now(),
      }),
    );
  }
  const store = stack.use(await openStore(dataDir));
  const pins = new PinFolder(dataDir);
  const runtime = new StoreRuntime({
    store,
    registry: (reference, credential) => registries.repository(reference, credential),
    platform,
    concurrency: options.concurrency,
  });
  return new StoreBackend({
    store,
    runtime,
    auths,
    platform,
    folder: dataDir,
    pinned: options.pinned,
    pins: async () => (await pins.list()).map(({ image }) => image),
    now: () => context.clock.now(),
    // What was just removed is free when the call returns; what is on its way is leased.
    collect: ({ signal }) => store.collect({ signal, grace: 0 }),
    makeRoom: () => store.collect({ grace: 0, ingestAge: 0 }),
    nodeCredentials: nodeSources,
  });

  async function lookUp(
    { image, pod }: PullRequest,
    { signal }: SignalOptions,
  ): Promise<readonly TrackedCredential[]> {
    const identity = pod && { ...pod, serviceAccountName: "" };
    const keyring = ofNode?.keyring(identity);
    return (await keyring?.lookup(repositoryName(parseReference(image)), { signal }))?.credentials ?? [];
  }
}

function findCgroupDriver(): "systemd" | "cgroupfs" {
  return existsSync("/run/systemd/system") ? "systemd" : "cgroupfs";
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
