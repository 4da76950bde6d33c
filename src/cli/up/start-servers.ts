/** What `dray up` serves: its registry, and what there is to measure. */
import { join } from "node:path";

import { makeFolder } from "../../internal/make-folder.ts";
import {
  ACCESS_FILE,
  type AccessControl,
  type AccessSettings,
  openAccess,
  openSqliteAccessStore,
  type ServedRegistry,
  serveRegistry,
} from "../../registry/index.ts";
import type { CommandContext } from "../context.ts";
import { type MetricsPages, serveMetrics } from "../metrics/serve-metrics.ts";
import { describeError } from "../report-error.ts";
import type { PodView } from "./pod-view.ts";
import type { RegistryTags } from "./registry-tags.ts";
import type { UpOptions } from "./run-up.ts";
import type { Listening } from "./status-file.ts";

/** As `dray registry` does unless it is told otherwise; milliseconds. */
const COLLECT_EVERY = 60 * 60 * 1_000;

/** A port that was asked for and can't be had ends the node: whoever watches it would see nothing. */
export async function startMetrics(
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

export async function startRegistry(
  options: UpOptions,
  {
    tags,
    view,
    context,
    stack,
  }: {
    readonly tags: RegistryTags;
    readonly view: PodView;
    readonly context: CommandContext;
    readonly stack: AsyncDisposableStack;
  },
): Promise<{ readonly registry?: ServedRegistry; readonly failure?: unknown }> {
  if (options.port === undefined) return {};
  const dir = join(options.dataDir, "registry");
  const onFailure = (error: unknown): void => view.note(`dray: ${describeError(error).message}`);
  try {
    const registry = await serveRegistry({
      dir,
      host: options.address,
      port: options.port,
      drainTimeout: 2000,
      authorize: options.authorize,
      access: options.access && (await openRegistryAccess(options.access, { dir, stack, onFailure })),
      tenants: true,
      collection: { every: COLLECT_EVERY },
      onTag: (push) => tags.announce(push),
      onFailure,
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

/** Closed after the registry, which asks it until its end. */
async function openRegistryAccess(
  { config, folder }: AccessSettings,
  wiring: {
    readonly dir: string;
    readonly stack: AsyncDisposableStack;
    readonly onFailure: (error: unknown) => void;
  },
): Promise<AccessControl> {
  const { dir, stack, onFailure } = wiring;
  makeFolder(dir, { mode: 0o700 });
  const store = stack.use(openSqliteAccessStore(join(dir, ACCESS_FILE)));
  return stack.use(await openAccess(config, { store, folder, onFailure }));
}
