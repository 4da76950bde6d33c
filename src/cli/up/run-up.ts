/**
 * `dray up`: a registry and a node in one process. What can't start says why in one sentence, and the rest goes on.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { StaticSource } from "../../credentials/index.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import { ImageNode, type NodeChange, type NodeState } from "../../node/index.ts";
import { type Authorize, type ServedRegistry, serveRegistry } from "../../registry/index.ts";
import { openStore } from "../../store/index.ts";
import { type ConnectValues, connect } from "../connect.ts";
import type { CommandContext } from "../context.ts";
import { exitCodeOf } from "../exit-code.ts";
import { describeError } from "../report-error.ts";
import { NodeMetrics } from "../metrics/node-metrics.ts";
import { type MetricsPages, serveMetrics } from "../metrics/serve-metrics.ts";
import { defaultImageSettings, type ImageSettings } from "./image-settings.ts";
import { type NodeCredentialOptions, type NodeCredentials, openNodeCredentials } from "./node-credentials.ts";
import { collectNodeImages, type NodeImagesOptions, openNodeImages } from "./node-images.ts";
import { type PodView, createPodView } from "./pod-view.ts";
import { RegistryTags } from "./registry-tags.ts";
import { isSettled } from "./settled.ts";
import { type Listening, StatusFile } from "./status-file.ts";

/** A kubelet's runtime asks once: what comes of it is told at once, and the node's own back-off decides when again. */
const NODE_RETRY = { attempts: 1 } as const;

export interface UpOptions {
  /** The folder of Pod manifests. */
  readonly folder: string;
  readonly dataDir: string;
  readonly address: string;
  /** `undefined` runs no registry; 0 takes any free port. */
  readonly port: number | undefined;
  /** Serve metrics here; `undefined` serves none, 0 takes any free port. */
  readonly metricsPort?: number | undefined;
  /** How images are pulled, verified and collected; as a kubelet does without a configuration by default. */
  readonly images?: ImageSettings | undefined;
  readonly credentials?: NodeCredentialOptions | undefined;
  /** Who may do what with the registry; everybody everything by default. */
  readonly authorize?: Authorize | undefined;
  readonly recheckInterval: number | undefined;
  readonly json: boolean;
  /** End as soon as every image is here or has failed. */
  readonly once: boolean;
  readonly connection: ConnectValues;
  /** Called when the registry answers, before the node begins. */
  readonly onServing?: ((registry: ServedRegistry | undefined) => Promise<void>) | undefined;
  /** Lines to show once everything is ready. */
  readonly hints?: ((registry: ServedRegistry | undefined) => readonly string[]) | undefined;
}

export interface UpResult {
  readonly code: number;
  /** How things stood at the end. */
  readonly state: NodeState;
}

/** Runs until the context's signal, or until all has settled with `once`. */
export async function runUp(options: UpOptions, context: CommandContext): Promise<UpResult> {
  await using stack = new AsyncDisposableStack();
  const running: { node?: ImageNode; status?: StatusFile } = {};
  const settled = Promise.withResolvers<void>();
  const onChange = (change: NodeChange): void => {
    view.show(change);
    running.status?.touch();
    if (options.once && running.node !== undefined && isSettled(running.node.state)) settled.resolve();
  };
  const view = createPodView({ context, json: options.json, node: () => running.node });
  stack.defer(() => view.close());

  prepareFolders(options, view);
  const tags = new RegistryTags();
  const { registry, failure } = await startRegistry(options, { tags, view, context });
  if (registry !== undefined) stack.use(registry);
  await options.onServing?.(registry);

  const metrics = new NodeMetrics();
  const settings = options.images ?? defaultImageSettings();
  const now = (): number => context.clock.now();
  const onWarning = (message: string): void => view.note(`dray: ${message}`);
  const credentials = await openNodeCredentials(options.credentials ?? {}, {
    context,
    root: options.dataDir,
    track: settings.gates.ensureSecretPulled,
    fresh: settings.extras.backOffMode === "recover",
    onWarning: once(onWarning),
    onRun: (run) => metrics.recordRun(run),
  });
  if (credentials.providerConfigHash !== undefined) metrics.setProviderConfig(credentials.providerConfigHash);
  const store = stack.use(await openStore(options.dataDir));
  const access = stack.use(
    await connect(options.connection, [], context, {
      credentials: new StaticSource([]),
      retry: NODE_RETRY,
    }),
  );
  const { dataDir } = options;
  const wiring = { store, dataDir, access, credentials, settings, metrics, now, onWarning };
  const images = await openNodeImages(wiring);
  const pages = {
    metrics: () => metrics.render(),
    progress: (signal: AbortSignal) => images.progress({ signal }),
  };
  const metricsAt = await startMetrics(options, { pages, stack });
  const node = stack.use(
    new ImageNode({
      folder: options.folder,
      images,
      onChange,
      tagChanges: tags,
      recheckInterval: options.recheckInterval,
      now,
      metrics,
      parallelContainers: settings.extras.pullOrder === "priority",
    }),
  );
  if (settings.extras.backOffMode === "recover")
    watchCredentials(credentials, { node, stack, metrics, onWarning: once(onWarning) });
  running.node = node;
  const { folder } = options;
  const where = registry === undefined ? null : { address: registry.address, port: registry.port };
  const facts = { pid: process.pid, startedAt: now(), folder, registry: where, metrics: metricsAt };
  const status = new StatusFile({
    dataDir,
    facts,
    state: () => node.state,
    now,
    onFailure: (error) => onWarning(describeError(error).message),
  });
  running.status = stack.use(status);
  await status.write(true);
  if (options.json) {
    const started = { event: "started", folder, registry: where, metrics: metricsAt };
    void context.stdout.write(`${JSON.stringify(started)}\n`);
  }
  for (const hint of options.hints?.(registry) ?? []) view.note(hint);
  await node.start();
  // Not before all Pods are known: what they name is in use.
  if (settings.collects) startCollection(wiring, { node, stack });
  if (isSettled(node.state)) settled.resolve();
  await Promise.race([aborted(context.signal), ...(options.once ? [settled.promise] : [])]);
  const state = node.state;
  return { code: failure === undefined ? 0 : exitCodeOf(failure), state };
}

/** A port that was asked for and can't be had ends the node: whoever watches it would see nothing. */
async function startMetrics(
  { metricsPort: port }: UpOptions,
  { pages, stack }: { readonly pages: MetricsPages; readonly stack: AsyncDisposableStack },
): Promise<Listening | null> {
  if (port === undefined) return null;
  const ending = new AbortController();
  const server = await serveMetrics(pages, { host: "127.0.0.1", port, signal: ending.signal });
  stack.defer(async () => {
    ending.abort();
    await server.close(1000);
  });
  return { address: server.address, port: server.port };
}

/** Milliseconds between looks at the files credentials come from. */
const CREDENTIALS_LOOK = 2000;

function watchCredentials(
  credentials: NodeCredentials,
  {
    node,
    stack,
    metrics,
    onWarning,
  }: {
    readonly node: ImageNode;
    readonly stack: AsyncDisposableStack;
    readonly metrics: NodeMetrics;
    readonly onWarning: (message: string) => void;
  },
): void {
  const look = async (): Promise<void> => {
    try {
      if (!(await credentials.refresh())) return;
      const { providerConfigHash } = credentials;
      if (providerConfigHash !== undefined) metrics.setProviderConfig(providerConfigHash);
      node.credentialsChanged({ kind: "node" });
    } catch (error) {
      onWarning(describeError(error).message);
    }
  };
  const timer = setInterval(() => void look(), CREDENTIALS_LOOK);
  stack.defer(() => clearInterval(timer));
}

function startCollection(
  wiring: NodeImagesOptions,
  { node, stack }: { readonly node: ImageNode; readonly stack: AsyncDisposableStack },
): void {
  const controller = new AbortController();
  const collecting = collectNodeImages(wiring, {
    state: () => node.state,
    wait: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }),
    signal: controller.signal,
  });
  stack.defer(async () => {
    controller.abort();
    await collecting;
  });
}

/** What a provider fails with, it fails with at every look; once is enough to say so. */
function once(tell: (message: string) => void): (message: string) => void {
  const told = new Set<string>();
  return (message) => {
    if (told.has(message) || told.size > 1000) return;
    told.add(message);
    tell(message);
  };
}

/** A folder that can't be made is the node's problem to report; it goes on looking. */
function prepareFolders({ folder, dataDir }: UpOptions, view: PodView): void {
  makeFolder(dataDir, { mode: 0o700 });
  try {
    makeFolder(folder);
  } catch (error) {
    view.note(`dray: ${describeError(error).message}`);
  }
}

async function startRegistry(
  options: UpOptions,
  {
    tags,
    view,
    context,
  }: { readonly tags: RegistryTags; readonly view: PodView; readonly context: CommandContext },
): Promise<{ readonly registry?: ServedRegistry; readonly failure?: unknown }> {
  if (options.port === undefined) return {};
  try {
    const registry = await serveRegistry({
      dir: join(options.dataDir, "registry"),
      host: options.address,
      port: options.port,
      drainTimeout: 2000,
      authorize: options.authorize,
      onTag: (push) => tags.announce(push),
      onFailure: (error) => view.note(`dray: ${describeError(error).message}`),
    });
    tags.listenOn(registry.address, registry.port);
    return { registry };
  } catch (failure) {
    if (context.signal.aborted) throw failure;
    const { code, message } = describeError(failure);
    const how = code === "ADDRESS_IN_USE" ? ` (for one, --registry-port ${options.port + 1})` : "";
    view.note(`dray: ${message}${how}; the node goes on without it`);
    return { failure };
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
