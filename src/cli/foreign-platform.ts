import {
  type Descriptor,
  type ImageSource,
  OciError,
  type Platform,
  formatPlatform,
  hostPlatformMatcher,
  isImageConfigType,
  isManifestType,
  parseImageConfig,
  parseManifest,
  readContent,
  type SignalOptions,
} from "../oci/index.ts";

/**
 * What an image that stands alone is for, where that isn't the wanted platform: without an index there is nothing to
 * choose from, so such an image is brought all the same, and whoever runs it should know.
 */
export async function foreignPlatform(
  source: ImageSource,
  root: Descriptor,
  { platform, signal }: SignalOptions & { readonly platform: Platform },
): Promise<string | undefined> {
  if (!isManifestType(root.mediaType)) return undefined;
  const manifest = parseManifest(await readContent(source, root, { signal }), { mediaType: root.mediaType });
  if (manifest.kind !== "manifest" || !isImageConfigType(manifest.config.mediaType)) return undefined;
  const config = await readContent(source, manifest.config, { signal });
  const own = readPlatform(config);
  if (own === undefined) return undefined;
  if (own.os === "" || own.architecture === "") return undefined;
  return hostPlatformMatcher(platform).matches(own) ? undefined : formatPlatform(own);
}

/** Bringing an image doesn't depend on its config being in order; running it will. */
function readPlatform(config: Uint8Array): Platform | undefined {
  try {
    return parseImageConfig(config).platform;
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}
