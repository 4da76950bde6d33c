/**
 * `dray up`: a registry and a node in one process. What can't start says why in one sentence, and the rest goes on.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import {
  ImageManager,
  listStoreImages,
  makeVerificationPolicy,
  openPullManager,
  StoreRuntime,
} from "../../images/index.ts";
import { ImageNode, type NodeChange, type NodeState } from "../../node/index.ts";
import { type ServedRegistry, serveRegistry } from "../../registry/index.ts";
import { openStore } from "../../store/index.ts";
import { type ConnectValues, connect } from "../connect.ts";
import type { CommandContext } from "../context.ts";
import { exitCodeOf } from "../exit-code.ts";
import { describeError } from "../report-error.ts";
import { localPlatform } from "../settings.ts";
import { type PodView, createPodView } from "./pod-view.ts";
import { RegistryTags } from "./registry-tags.ts";
import { isSettled } from "./settled.ts";

export interface UpOptions {
  /** The folder of Pod manifests. */
  readonly folder: string;
  readonly dataDir: string;
  readonly address: string;
  /** `undefined` runs no registry; 0 takes any free port. */
  readonly port: number | undefined;
  readonly maxParallelPulls: number;
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
  const running: { node?: ImageNode } = {};
  const settled = Promise.withResolvers<void>();
  const onChange = (change: NodeChange): void => {
    view.show(change);
    if (options.once && running.node !== undefined && isSettled(running.node.state)) settled.resolve();
  };
  const view = createPodView({ context, json: options.json, node: () => running.node });
  stack.defer(() => view.close());

  await prepareFolders(options, view);
  const tags = new RegistryTags();
  const { registry, failure } = await startRegistry(options, { tags, view, context });
  if (registry !== undefined) stack.use(registry);
  await options.onServing?.(registry);

  const store = stack.use(await openStore(options.dataDir));
  const access = stack.use(await connect(options.connection, [], context));
  const platform = localPlatform();
  const runtime = new StoreRuntime({
    store,
    registry: (reference) => access.repository(reference),
    platform,
  });
  const { maxParallelPulls } = options;
  const now = (): number => context.clock.now();
  const records = await openPullManager({
    root: options.dataDir,
    policy: makeVerificationPolicy("NeverVerifyPreloadedImages"),
    now,
    maxParallelPulls,
    listImages: () => listStoreImages(store, { platform }),
    onWarning: (message) => view.note(`dray: ${message}`),
  });
  const images = new ImageManager({ runtime, now, maxParallelPulls, access: records });
  const node = stack.use(
    new ImageNode({
      folder: options.folder,
      images,
      onChange,
      tagChanges: tags,
      recheckInterval: options.recheckInterval,
    }),
  );
  running.node = node;
  if (options.json) {
    const where = registry === undefined ? null : { address: registry.address, port: registry.port };
    void context.stdout.write(
      `${JSON.stringify({ event: "started", folder: options.folder, registry: where })}\n`,
    );
  }
  for (const hint of options.hints?.(registry) ?? []) view.note(hint);
  await node.start();
  if (isSettled(node.state)) settled.resolve();
  await Promise.race([aborted(context.signal), ...(options.once ? [settled.promise] : [])]);
  const state = node.state;
  return { code: failure === undefined ? 0 : exitCodeOf(failure), state };
}

/** A folder that can't be made is the node's problem to report; it goes on looking. */
async function prepareFolders({ folder, dataDir }: UpOptions, view: PodView): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  try {
    await mkdir(folder, { recursive: true });
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
