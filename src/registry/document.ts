import { artifactTypeOf, isForeignLayerType, isManifestOrIndexType, isSchema1Type } from "../oci/index.ts";
import { isDigest, parseManifest, trimMediaType, type Descriptor, type Digest } from "../oci/index.ts";

type ParsedDocument = ReturnType<typeof parseManifest>;

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
  /** All of these, and what lies elsewhere by design but may be here as well. */
  readonly links: readonly Digest[];
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
    return { mediaType, described: {}, blobs: [], manifests: [], links: findDigests(bytes) };
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
    ...linksOf(document),
  };
}

/**
 * All digests that stand anywhere in a document. What a type nobody knows means by them is unknown, so whatever they
 * name counts as named.
 */
export function findDigests(bytes: Uint8Array): readonly Digest[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const found = text.match(/sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}/g) ?? [];
  return [...new Set(found)].filter((digest) => isDigest(digest));
}

function linksOf(document: ParsedDocument): Pick<PushedDocument, "blobs" | "manifests" | "links"> {
  if (document.kind === "index") {
    const manifests = document.manifests.map(digestOf);
    return { blobs: [], manifests, links: manifests };
  }
  const { config, layers } = document;
  const held = [config, ...layers.filter(isHeldHere)].map(digestOf);
  return { blobs: held, manifests: [], links: [config, ...layers].map(digestOf) };
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
