/** What a pull would bring: the image's parts, those that are here already, and how long the rest takes. */
import { formatFullPlatform, isImageConfigType, parseImageConfig } from "../../oci/index.ts";
import type { Descriptor } from "../../oci/index.ts";
import { DrayError } from "../../errors.ts";
import type { ContentTrace, LayerTrace } from "../trace.ts";
import type { DryPull, DryRuntime } from "./dry-runtime.ts";

export interface ContentOptions {
  /** Bytes a second. */
  readonly rate: number;
  readonly has: ((digest: string) => Promise<boolean>) | undefined;
  /** Ask the registry whether it has the layers that a manifest promises. */
  readonly head: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Undefined where nothing was learnt of the image's content. */
export async function traceContent(
  { pulled, sources }: DryRuntime,
  options: ContentOptions,
): Promise<ContentTrace | undefined> {
  const source = sources.findLast(({ seen }) => seen.root !== undefined);
  const root = pulled?.root ?? source?.seen.root;
  if (root === undefined) return undefined;
  const platformsOffered = source?.seen.platformsOffered ?? [];
  const base = { digest: root.digest, mediaType: root.mediaType, platformsOffered };
  if (pulled === undefined) {
    return { ...base, layers: [], size: 0, missing: 0, estimate: { milliseconds: 0, rate: options.rate } };
  }
  const layers = await Promise.all(unique(pulled.layers).map((layer) => traceLayer(layer, pulled, options)));
  const here = layers.filter(({ state }) => state === "present").reduce((sum, { size }) => sum + size, 0);
  const missing = pulled.size - here;
  const platform = platformOf(pulled);
  return {
    ...base,
    manifest: pulled.manifest.digest,
    ...(!isImageConfigType(pulled.config.mediaType) && { artifact: pulled.config.mediaType }),
    ...(platform !== undefined && { platform }),
    layers,
    size: pulled.size,
    missing,
    estimate: { milliseconds: Math.round((missing / options.rate) * 1000), rate: options.rate },
  };
}

async function traceLayer(
  layer: Descriptor,
  { source }: DryPull,
  { has, head, signal }: ContentOptions,
): Promise<LayerTrace> {
  const { digest, size } = layer;
  if ((await has?.(digest)) === true) return { digest, size, state: "present" };
  // Layers with addresses of their own needn't be at the registry.
  if (!head || (layer.urls?.length ?? 0) > 0) return { digest, size, state: "to-fetch" };
  try {
    return { digest, size, state: (await source.has(layer, { signal })) ? "to-fetch" : "not-at-registry" };
  } catch (error) {
    signal?.throwIfAborted();
    // Registries and stores behind them may refuse a HEAD that they would have answered as a GET, which would fetch it.
    if (!(error instanceof DrayError)) throw error;
    return { digest, size, state: "untold" };
  }
}

function platformOf({ configBytes }: DryPull): string | undefined {
  if (configBytes === undefined) return undefined;
  try {
    return formatFullPlatform(parseImageConfig(configBytes).platform);
  } catch {
    return undefined;
  }
}

function unique(layers: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
}
