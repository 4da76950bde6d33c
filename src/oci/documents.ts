/**
 * Manifests and indexes, read from bytes nobody vouches for.
 *
 * A document is addressed by its bytes, so callers keep those and never write a parsed document back: unknown
 * members are ignored here and survive there. What is checked is what later code relies on, and no more: unknown
 * media types, empty lists and foreign annotations are all legal.
 */
import { isIndexType, isManifestType, isSchema1Type, MEDIA_TYPES, trimMediaType } from "./media-types.ts";
import { type Descriptor } from "./descriptor.ts";
import { OciError } from "./errors.ts";
import { Reader } from "./json-reader.ts";
import { type Index, type Manifest, type ManifestOrIndex } from "./manifest.ts";
import { readAnnotations, readDescriptor } from "./read-descriptor.ts";

/** Bytes of a document that are accepted: what registries must at least support, and all that dray takes. */
export const MAX_DOCUMENT_SIZE: number = 4 * 1024 * 1024;

/**
 * Bytes to read at most when a document's size isn't known beforehand, a little more than the limit, so that one
 * that is just too large can still be named in the error instead of being cut.
 */
export const DOCUMENT_READ_LIMIT = 4_393_216;

/** Layers of a manifest, or entries of an index. Far beyond any real one, near enough to bound the work. */
export const MAX_DESCRIPTORS = 16_384;

export interface ParseDocumentOptions {
  /** What the document was announced as: a `Content-Type`, or a descriptor's media type. */
  readonly mediaType?: string | undefined;
  /** Bytes; {@link MAX_DOCUMENT_SIZE} by default. */
  readonly limit?: number | undefined;
}

/**
 * Reads an image manifest or index, OCI or Docker. Without an announced type the document's own `mediaType` decides,
 * and without that its members. The type of the result is the announced one, else the document's, else OCI's.
 *
 * @throws OciError `MANIFEST_UNSUPPORTED` for schema 1, `MANIFEST_INVALID` for all else
 */
export function parseManifest(
  bytes: Uint8Array | string,
  options: ParseDocumentOptions = {},
): ManifestOrIndex {
  const announced = options.mediaType === undefined ? undefined : trimMediaType(options.mediaType);
  if (announced !== undefined) refuseSchema1(announced);
  const document = Reader.parse(bytes, "manifest", options.limit ?? MAX_DOCUMENT_SIZE);
  const own = document.string("mediaType");
  if (own !== undefined) refuseSchema1(own);
  if (document.has("fsLayers") || document.number("schemaVersion") === 1)
    refuseSchema1(MEDIA_TYPES.dockerSchema1);
  if (document.number("schemaVersion") !== 2) throw document.invalid('"schemaVersion" must be 2');
  const mediaType = chooseType(document, announced, own);
  return isIndexType(mediaType) ? readIndex(document, mediaType) : readManifest(document, mediaType);
}

/** What a document points at, in the order to fetch: a manifest's config and layers, or an index's manifests. */
export function childrenOf(document: ManifestOrIndex): readonly Descriptor[] {
  return document.kind === "index" ? document.manifests : [document.config, ...document.layers];
}

/** What kind of artifact a manifest is, as lists of referrers state it; `undefined` for an index that doesn't say. */
export function artifactTypeOf(document: ManifestOrIndex): string | undefined {
  if (document.artifactType !== undefined) return document.artifactType;
  return document.kind === "manifest" ? document.config.mediaType : undefined;
}

/**
 * One family must not pass for the other: whoever was shown an index must never read it as a manifest, and the
 * other way round, or one digest would mean two images.
 */
function chooseType(document: Reader, announced: string | undefined, own: string | undefined): string {
  const asIndex = document.has("manifests");
  const asManifest = document.has("config") || document.has("layers");
  const guess = asIndex ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
  const known = [announced, own].filter((type) => type !== undefined && isKnown(type));
  const mediaType = known[0] ?? guess;
  const index = isIndexType(mediaType);
  if (index ? asManifest : asIndex) {
    throw document.invalid(
      asIndex && asManifest
        ? 'it has "manifests" beside "config" or "layers"'
        : `it is announced as ${JSON.stringify(mediaType)} but has ${index ? '"config" or "layers"' : '"manifests"'}`,
    );
  }
  if (own !== undefined && (isKnown(own) ? isIndexType(own) !== index : announced === undefined)) {
    throw document.invalid(
      `its media type ${JSON.stringify(own)} is not that of ${index ? "an index" : "a manifest"}`,
    );
  }
  return mediaType;
}

function isKnown(mediaType: string): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}

function readManifest(document: Reader, mediaType: string): Manifest {
  const config = document.object("config");
  if (config === undefined) throw document.invalid('it has no "config"');
  return {
    kind: "manifest",
    mediaType,
    config: readDescriptor(config),
    layers: (document.objects("layers", MAX_DESCRIPTORS) ?? []).map(readDescriptor),
    ...readCommon(document),
  };
}

function readIndex(document: Reader, mediaType: string): Index {
  if (!document.has("manifests")) throw document.invalid('it has no "manifests"');
  const manifests = document.objects("manifests", MAX_DESCRIPTORS) ?? [];
  return { kind: "index", mediaType, manifests: manifests.map(readDescriptor), ...readCommon(document) };
}

function readCommon(document: Reader): Pick<Manifest, "artifactType" | "subject" | "annotations"> {
  const artifactType = document.string("artifactType");
  const subject = document.object("subject");
  const annotations = readAnnotations(document);
  return {
    ...(artifactType !== undefined && artifactType !== "" && { artifactType }),
    ...(subject !== undefined && { subject: readDescriptor(subject) }),
    ...(annotations !== undefined && { annotations }),
  };
}

function refuseSchema1(mediaType: string): void {
  if (!isSchema1Type(mediaType)) return;
  throw new OciError(
    "MANIFEST_UNSUPPORTED",
    "Cannot read manifest: Docker schema 1 has no verifiable layers and is no longer supported; push the image again with a current tool",
  );
}
