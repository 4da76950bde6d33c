import { artifactTypeOf, isForeignLayerType, isManifestOrIndexType, isSchema1Type } from "../oci/index.ts";
import { parseManifest, trimMediaType, type Descriptor, type Digest } from "../oci/index.ts";

/** What a registry reads out of a pushed manifest. All else is the business of whoever runs it. */
export interface PushedDocument {
  readonly mediaType: string;
  readonly subject?: Digest | undefined;
  /** What a list of referrers says about it besides type, digest and size. */
  readonly described: Pick<Descriptor, "artifactType" | "annotations">;
  /** Config and layers, those left out that lie elsewhere by design. */
  readonly blobs: readonly Digest[];
  /** Entries of an index. */
  readonly manifests: readonly Digest[];
}

/**
 * Reads a pushed document by its announced type, or its own. A type nobody knows is kept as it came, unread.
 *
 * @throws OciError for what is not the manifest or index it claims to be
 */
export function readPushedDocument(
  bytes: Uint8Array,
  contentType: string | undefined,
  limit: number,
): PushedDocument | { readonly fault: string } {
  const announced = trimMediaType(contentType ?? "") || undefined;
  const own = findMediaType(bytes);
  if (announced !== undefined && own !== undefined && announced !== own) {
    const types = `${JSON.stringify(own)}, its Content-Type ${JSON.stringify(announced)}`;
    return { fault: `The manifest calls itself ${types}` };
  }
  const mediaType = announced ?? own;
  if (mediaType !== undefined && !isManifestOrIndexType(mediaType) && !isSchema1Type(mediaType)) {
    return { mediaType, described: {}, blobs: [], manifests: [] };
  }
  const document = parseManifest(bytes, { mediaType, limit });
  const artifactType = artifactTypeOf(document);
  return {
    mediaType: document.mediaType,
    subject: document.subject?.digest,
    described: {
      ...(artifactType !== undefined && { artifactType }),
      ...(document.annotations !== undefined && { annotations: document.annotations }),
    },
    ...(document.kind === "index"
      ? { blobs: [], manifests: document.manifests.map((entry) => entry.digest) }
      : { blobs: [document.config, ...document.layers.filter(isHeldHere)].map(digestOf), manifests: [] }),
  };
}

function isHeldHere(layer: Descriptor): boolean {
  return !isForeignLayerType(layer.mediaType);
}

function digestOf(descriptor: Descriptor): Digest {
  return descriptor.digest;
}

function findMediaType(bytes: Uint8Array): string | undefined {
  try {
    const document: unknown = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(),
    );
    if (typeof document !== "object" || document === null || !("mediaType" in document)) return undefined;
    return typeof document.mediaType === "string" ? document.mediaType : undefined;
  } catch {
    // Whatever it is, the parser for its announced type says it better.
    return undefined;
  }
}
