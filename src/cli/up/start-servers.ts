/** What `dray up` serves: its registry, and what there is to measure. */
import { join } from "node:path";

import { type ServedRegistry, serveRegistry } from "../../registry/index.ts";
import type { CommandContext } from "../context.ts";
import { type MetricsPages, serveMetrics } from "../metrics/serve-metrics.ts";
import { describeError } from "../report-error.ts";
import type { PodView } from "./pod-view.ts";
import type { RegistryTags } from "./registry-tags.ts";
import type { UpOptions } from "./run-up.ts";
import type { Listening } from "./status-file.ts";

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
