import {
  type Descriptor,
  type ImageSource,
  OciError,
  type Platform,
  type SignalOptions,
  hostPlatformMatcher,
  isIndexType,
  isManifestOrIndexType,
  listPlatforms,
  parseManifest,
  readContent,
  selectPlatform,
} from "../oci/index.ts";

export interface FoundDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

const MAX_DEPTH = 8;

/**
 * The document a reference stands for; with a platform, the one below its indexes that is for this platform.
 *
 * @throws OciError `PLATFORM_UNKNOWN`, or the source's error
 */
export async function findDocument(
  source: ImageSource,
  reference: string,
  options: SignalOptions & { readonly platform: Platform | undefined },
): Promise<FoundDocument> {
  let descriptor = await source.resolve(reference, options);
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    const bytes = await readContent(source, descriptor, options);
    if (options.platform === undefined || !isIndexType(descriptor.mediaType)) return { descriptor, bytes };
    const index = parseManifest(bytes, { mediaType: descriptor.mediaType });
    if (index.kind !== "index") return { descriptor, bytes };
    const [chosen] = selectPlatform(index, hostPlatformMatcher(options.platform)).candidates;
    if (chosen === undefined) {
      const offered = listPlatforms(index).join(", ") || "none";
      throw new OciError(
        "PLATFORM_UNKNOWN",
        `Cannot choose from index "${descriptor.digest}": nothing for the wanted platform; it has ${offered}`,
      );
    }
    descriptor = chosen.descriptor;
  }
  throw new OciError(
    "MANIFEST_INVALID",
    `Cannot read "${descriptor.digest}": it lies deeper than ${MAX_DEPTH} indexes`,
  );
}

/** Refuses what is no document, before its bytes are taken for one. */
export function assertDocument({ digest, mediaType }: Descriptor): void {
  if (isManifestOrIndexType(mediaType)) return;
  throw new OciError("MANIFEST_UNSUPPORTED", `Cannot read "${digest}" as a manifest: it is a ${mediaType}`);
}
