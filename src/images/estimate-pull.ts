import {
  type Descriptor,
  type Digest,
  type ImageSource,
  isManifestType,
  OciError,
  parseImageConfig,
  type PlatformMatcher,
  readContent,
  type SignalOptions,
} from "../oci/index.ts";
import type { Reference } from "../reference/index.ts";
import { inspectImage } from "./inspect-image.ts";

/** One content that a pull would bring. */
export interface EstimatedContent {
  readonly digest: Digest;
  /** Bytes, as it travels. */
  readonly size: number;
  /** Of a layer: what is in it, whichever way it is compressed. */
  readonly diffId?: Digest | undefined;
}

export interface PullEstimate {
  /** What the name points at. */
  readonly digest: Digest;
  /** Each digest once. */
  readonly contents: readonly EstimatedContent[];
}

/**
 * What a pull would bring, from the image's documents alone.
 *
 * @throws OciError `PLATFORM_UNKNOWN` where nothing in an index is for this platform
 */
export async function estimatePull(
  source: ImageSource,
  { tag, digest }: Reference,
  options: SignalOptions & { readonly matcher: PlatformMatcher },
): Promise<PullEstimate> {
  const target = await source.resolve(digest ?? tag ?? "latest", options);
  const facts = await inspectImage(source, target, options);
  if (facts === undefined) {
    const what = isManifestType(target.mediaType) ? "it is no image" : "it has nothing for this platform";
    throw new OciError(
      "PLATFORM_UNKNOWN",
      `Cannot tell the size of ${JSON.stringify(target.digest)}: ${what}`,
    );
  }
  const { manifest, contents } = facts;
  const diffIds = await readDiffIds(source, manifest.config, options);
  const ofLayer = new Map<string, Digest>();
  // Only where there is one for each can it be known which is whose.
  if (diffIds.length === manifest.layers.length) {
    for (const [index, layer] of manifest.layers.entries()) {
      const diffId = diffIds[index];
      if (diffId !== undefined) ofLayer.set(layer.digest, diffId);
    }
  }
  return {
    digest: target.digest,
    contents: contents.map(({ digest: one, size }) => ({ digest: one, size, diffId: ofLayer.get(one) })),
  };
}

/** None for what is no image's config: an artifact has none. */
async function readDiffIds(
  source: ImageSource,
  config: Descriptor,
  options: SignalOptions,
): Promise<readonly Digest[]> {
  try {
    return parseImageConfig(await readContent(source, config, options)).diffIds;
  } catch (error) {
    if (error instanceof OciError) return [];
    throw error;
  }
}
