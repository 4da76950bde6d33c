/**
 * `dray up`: a registry and a node in one process. What can't start says why in one sentence, and the rest goes on.
 */
import { join } from "node:path";

import type { ListeningApi } from "../../apiserver/index.ts";
import { CachingServiceAccounts, StaticSource } from "../../credentials/index.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import { FolderSource, ImageNode, type NodeChange, type NodeState } from "../../node/index.ts";
import type { AccessSettings, Authorize, ServedRegistry } from "../../registry/index.ts";
import { openStore } from "../../store/index.ts";
import { type ConnectValues, connect } from "../connect.ts";
import type { CommandContext } from "../context.ts";
import { exitCodeOf } from "../exit-code.ts";
import { NodeMetrics } from "../metrics/node-metrics.ts";
import { describeError } from "../report-error.ts";
import { FolderTokens } from "./folder-tokens.ts";
import { defaultImageSettings, type ImageSettings } from "./image-settings.ts";
import { type NodeCredentialOptions, openNodeCredentials } from "./node-credentials.ts";
import { openNodeImages } from "./node-images.ts";
import { nodeName as defaultNodeName, readNodeFacts } from "./node-facts.ts";
import { JoinedTokens, putNodeOnApi } from "./node-on-api.ts";
import { createPodView, type PodView } from "./pod-view.ts";
import { RegistryTags } from "./registry-tags.ts";
import { isSettled, mayHaveSettled } from "./settled.ts";
import { type ApiOptions, type PinningNeeds, startApi } from "./start-api.ts";
import { startMetrics, startRegistry } from "./start-servers.ts";
import { StatusFile } from "./status-file.ts";
import { watchCredentials, watchImages } from "./watch.ts";

/** A kubelet's runtime asks once: what comes of it is told at once, and the node's own back-off decides when again. */
const NODE_RETRY = { attempts: 1 } as const;

export interface UpOptions {
  /** The folder of Pod manifests. */
  readonly folder: string;
  readonly dataDir: string;
  readonly address: string;
  /** `undefined` runs no registry; 0 takes any free port. */
  readonly port: number | undefined;
  /** Serve the Kubernetes API, and live on it; `undefined` runs none. */
  readonly api?: ApiOptions | undefined;
  /** Serve metrics here; `undefined` serves none, 0 takes any free port. */
  readonly metricsPort?: number | undefined;
  /** What events and tokens call this node; the machine's name by default. */
  readonly nodeName?: string | undefined;
  /** How images are pulled, verified and collected; as a kubelet does without a configuration by default. */
  readonly images?: ImageSettings | undefined;
  readonly credentials?: NodeCredentialOptions | undefined;
  /** Who may do what with the registry; everybody everything by default, until it has tenants. */
  readonly access?: AccessSettings | undefined;
  /** The same as one plain function. */
  readonly authorize?: Authorize | undefined;
  readonly recheckInterval: number | undefined;
  readonly json: boolean;
  /** End as soon as every image is here or has failed. */
  readonly once: boolean;
  readonly connection: ConnectValues;
  /** Called when the registry answers, before the node begins. */
  readonly onServing?: ((registry: ServedRegistry | undefined) => Promise<void>) | undefined;
  /** Lines to show once everything is ready. */
  readonly hints?:
    | ((registry: ServedRegistry | undefined, api: ListeningApi | undefined) => readonly string[])
    | undefined;
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
    if (options.once && mayHaveSettled(change)) lookWhetherSettled();
  };
  let looking = false;
  const lookWhetherSettled = (): void => {
    // A thousand Pods change a thousand times in one turn: once is enough to look at all of them.
    if (looking) return;
    looking = true;
    setImmediate(() => {
      looking = false;
      if (running.node !== undefined && isSettled(running.node.state)) settled.resolve();
    });
  };
  const view = createPodView({ context, json: options.json, node: () => running.node });
  stack.defer(() => view.close());

  prepareFolders(options, view);
  const tags = new RegistryTags();
  const { registry, failure } = await startRegistry(options, { tags, view, context, stack });
  if (registry !== undefined) stack.use(registry);
  await options.onServing?.(registry);

  const { dataDir, folder } = options;
  const metrics = new NodeMetrics();
  const settings = options.images ?? defaultImageSettings();
  const now = (): number => context.clock.now();
  const onWarning = (message: string): void => view.note(`dray: ${message}`);
  const pinning: PinningNeeds = {};
  const { api, failure: apiFailure } =
    options.api === undefined ? {} : await startApi(options.api, { dataDir, context, view, stack, pinning });
  const files = new FolderSource({ folder });
  const nodeName = options.nodeName ?? defaultNodeName();
  const ofFiles = new FolderTokens(files, { keyFile: join(dataDir, "pki", "sa.key"), nodeName, now });
  const tokens = api === undefined ? ofFiles : new JoinedTokens(files, ofFiles, api);
  const credentials = await openNodeCredentials(options.credentials ?? {}, {
    context,
    root: dataDir,
    track: settings.gates.ensureSecretPulled,
    fresh: settings.extras.backOffMode === "recover",
    serviceAccounts: new CachingServiceAccounts(tokens, { now, random: Math.random }),
    onWarning: once(onWarning),
    onRun: (run) => metrics.recordRun(run),
  });
  if (credentials.providerConfigHash !== undefined) metrics.setProviderConfig(credentials.providerConfigHash);
  const store = stack.use(await openStore(dataDir));
  const access = stack.use(
    await connect(options.connection, [], context, {
      credentials: new StaticSource([]),
      retry: NODE_RETRY,
    }),
  );
  const wiring = { store, dataDir, access, credentials, settings, metrics, now, onWarning };
  const images = await openNodeImages(wiring);
  pinning.keyring = credentials.keyring;
  pinning.registry = images.registry;
  const onApi =
    api === undefined
      ? undefined
      : putNodeOnApi({
          api,
          name: nodeName,
          facts: await readNodeFacts(dataDir),
          files,
          images: images.status,
          stack,
          onError: (error) => onWarning(describeError(error).message),
        });
  await onApi?.start();
  const pages = {
    metrics: () => metrics.render(),
    progress: (signal: AbortSignal) => images.manager.progress({ signal }),
  };
  const metricsAt = await startMetrics(options, { pages, stack });
  const node = stack.use(
    new ImageNode({
      pods: onApi?.pods ?? files,
      secrets: onApi?.secrets ?? files,
      sink: onApi?.sink,
      images: images.manager,
      onChange,
      onFailure: (error) => onWarning(describeError(error).message),
      tagChanges: tags,
      recheckInterval: options.recheckInterval,
      now,
      metrics,
      parallelContainers: settings.extras.pullOrder === "priority",
      name: nodeName,
    }),
  );
  if (settings.extras.backOffMode === "recover")
    watchCredentials(credentials, { node, stack, metrics, onWarning: once(onWarning) });
  running.node = node;
  const where = registry === undefined ? null : { address: registry.address, port: registry.port };
  const facts = {
    pid: process.pid,
    startedAt: now(),
    node: nodeName,
    folder,
    registry: where,
    api: api === undefined ? null : { url: api.listening.url, kubeconfig: api.listening.kubeconfig },
    metrics: metricsAt,
  };
  const status = new StatusFile({
    dataDir,
    facts,
    state: () => node.state,
    images: images.status,
    now,
    onFailure: (error) => onWarning(describeError(error).message),
  });
  running.status = stack.use(status);
  await status.write(true);
  if (options.json) {
    const started = { event: "started", folder, registry: where, api: facts.api, metrics: metricsAt };
    void context.stdout.write(`${JSON.stringify(started)}\n`);
  }
  for (const hint of options.hints?.(registry, api?.listening) ?? []) view.note(hint);
  await node.start();
  // Not before all Pods are known: what they name is in use.
  const watching = watchImages(wiring, {
    node,
    stack,
    images,
    onWarning: once(onWarning),
    onListed: () => status.touch(),
  });
  if (isSettled(node.state)) settled.resolve();
  await Promise.race([aborted(context.signal), ...(options.once ? [settled.promise] : [])]);
  await watching.lookAgain();
  const state = node.state;
  const first = failure ?? apiFailure;
  return { code: first === undefined ? 0 : exitCodeOf(first), state };
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

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
