import {
  type ContentSource,
  type Descriptor,
  OciError,
  type SignalOptions,
  childrenOf,
  isManifestOrIndexType,
  parseManifest,
  readContent,
} from "../oci/index.ts";

/**
 * Whether a local place has everything below a document. A store that pulled one platform keeps an index whose other
 * platforms are elsewhere; such an image can be given on only platform by platform.
 */
export async function isComplete(
  source: ContentSource,
  root: Descriptor,
  options: SignalOptions = {},
): Promise<boolean> {
  const seen = new Set<string>();
  const visit = async (descriptor: Descriptor): Promise<void> => {
    if (seen.has(descriptor.digest)) return;
    seen.add(descriptor.digest);
    if (isManifestOrIndexType(descriptor.mediaType)) {
      const document = parseManifest(await readContent(source, descriptor, options), {
        mediaType: descriptor.mediaType,
      });
      for (const child of childrenOf(document)) await visit(child);
    } else {
      const stream = await source.open(descriptor, options);
      await stream.close();
    }
  };
  try {
    await visit(root);
    return true;
  } catch (error) {
    if (error instanceof OciError && error.code === "BLOB_UNKNOWN") return false;
    throw error;
  }
}
