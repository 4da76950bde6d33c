import {
  type ContentSource,
  type Descriptor,
  type ImageSource,
  isImageConfigType,
  isManifestOrIndexType,
  memoryStream,
  readContent,
  type SignalOptions,
} from "../oci/index.ts";

/**
 * A registry whose documents are read here where they are here, as containerd does: a tag that still points at what a
 * node has costs one question. The registry is asked for every name, so who may not pull still learns so.
 */
export function preferLocalDocuments(
  registry: ImageSource,
  local: ContentSource & {
    has(descriptor: Descriptor, options?: SignalOptions): Promise<boolean>;
  },
): ImageSource {
  const readHere = async (
    descriptor: Descriptor,
    { signal }: SignalOptions,
  ): Promise<Uint8Array | undefined> => {
    const { mediaType } = descriptor;
    if (!isManifestOrIndexType(mediaType) && !isImageConfigType(mediaType)) return undefined;
    try {
      return (await local.has(descriptor, { signal }))
        ? await readContent(local, descriptor, { signal })
        : undefined;
    } catch {
      // Damaged, or collected just now: the registry has it.
      signal?.throwIfAborted();
      return undefined;
    }
  };
  return {
    resolve: (reference, options) => registry.resolve(reference, options),
    open: async (descriptor, options = {}) => {
      const bytes = await readHere(descriptor, options);
      return bytes === undefined ? await registry.open(descriptor, options) : memoryStream(bytes, options);
    },
  };
}
