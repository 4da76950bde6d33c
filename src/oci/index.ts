/**
 * The specs' words, without I/O of their own: digests, descriptors, documents, platforms, routes, and the port through
 * which content travels.
 *
 * ```text
 * index ──► manifest ──► config
 *   │           └──────► layers        each arrow is a descriptor: media type, digest, size
 *   └─────► manifest for another platform
 * ```
 *
 * ```ts
 * import { copy, MEDIA_TYPES, MemoryContent } from "dray/oci";
 *
 * const [here, there] = [new MemoryContent(), new MemoryContent()];
 * const config = here.addDocument({ rootfs: { type: "layers", diff_ids: [] } }, MEDIA_TYPES.ociConfig);
 * const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [] };
 * await here.tag(here.addDocument(manifest, MEDIA_TYPES.ociManifest), "v1");
 * await copy(here, "v1", { to: there, as: "v1" });
 * ```
 */
export { ANNOTATIONS, isRefName } from "./annotations.ts";
export { detectCompression, type Compression } from "../internal/detect-compression.ts";
export { type ByteConsumer, type ContentSink, type ContentSource, type ContentStream } from "./content.ts";
export { type ImageSink, type ImageSource, type Resolver, type Tagger, type TagOptions } from "./content.ts";
export { type OpenOptions, type SignalOptions, type WriteOptions, type WriteOutcome } from "./content.ts";
export { copy, copyContent, type CopyEvent, type CopyOptions, type CopyResult } from "./copy.ts";
export { type CopyPlan, MAX_DOCUMENT_BYTES, MAX_DOCUMENTS, MAX_INDEX_DEPTH } from "./copy-plan.ts";
export { planCopy, type PlanOptions } from "./copy-plan.ts";
export { equalsCranePlatform, formatCranePlatform, parseCranePlatform } from "./crane-platform.ts";
export { satisfiesCranePlatform, selectCranePlatform, type CranePlatform } from "./crane-platform.ts";
export { type Annotations, type Descriptor } from "./descriptor.ts";
export { DIGEST_ALGORITHMS, DIGEST_LENGTHS, type Digest, type DigestAlgorithm } from "./digest.ts";
export { digestAlgorithm, digestEncoded, DigestHasher, digestOf } from "./digest.ts";
export { findDigestFault, isDigest, parseDigest, type DigestFault, type DigestOptions } from "./digest.ts";
export { artifactTypeOf, childrenOf, parseManifest, type ParseDocumentOptions } from "./documents.ts";
export { DOCUMENT_READ_LIMIT, MAX_DESCRIPTORS, MAX_DOCUMENT_SIZE } from "./documents.ts";
export { EMPTY_DESCRIPTOR, EMPTY_JSON } from "./empty-descriptor.ts";
export { ERROR_STATUS, errorStatus, isDistributionErrorCode } from "./error-codes.ts";
export { formatErrorBody, parseErrorBody } from "./error-codes.ts";
export { type DistributionError, type DistributionErrorCode } from "./error-codes.ts";
export { OciError, type OciErrorCode } from "./errors.ts";
export { forEachLimited, type LimitOptions } from "./for-each-limited.ts";
export { cpuVariantFromMachine, hostPlatform, type HostFacts } from "./host-platform.ts";
export { parseImageConfig, type ContainerConfig, type HistoryEntry } from "./image-config.ts";
export { type ImageConfig } from "./image-config.ts";
export { type Index, type Manifest, type ManifestOrIndex } from "./manifest.ts";
export { allPlatforms, anyPlatform, hostPlatformMatcher, onlyOsPlatform } from "./match-platform.ts";
export { onlyPlatform, onlyStrictPlatform, orderedPlatforms, windowsPlatform } from "./match-platform.ts";
export { compareRanks, compatiblePlatforms, matchesPlatform, sortPlatforms } from "./match-platform.ts";
export { type PlatformMatcher, type PlatformRank } from "./match-platform.ts";
export { isForeignLayerType, isImageConfigType, isIndexType, isManifestOrIndexType } from "./media-types.ts";
export { isManifestType, isSchema1Type, MEDIA_TYPES, trimMediaType } from "./media-types.ts";
export { MemoryContent, memoryStream, type MemoryContentOptions } from "./memory-content.ts";
export { parsePlatform, type ParsePlatformOptions } from "./parse-platform.ts";
export { formatFullPlatform, formatPlatform, normalizePlatform, type Platform } from "./platform.ts";
export { embeddedContent, readContent, type ReadContentOptions } from "./read-content.ts";
export { parseDescriptor } from "./read-descriptor.ts";
export { isRepositoryName, isTag, MAX_REPOSITORY_LENGTH, MAX_TAG_LENGTH } from "./repository.ts";
export { scanRepository, scanTag } from "./repository.ts";
export { matchRoute, routes, type RouteMatch, type RouteName, type Routes } from "./routes.ts";
export { listPlatforms, selectPlatform, type EntryVerdict } from "./select-platform.ts";
export { type JudgedEntry, type PlatformSelection } from "./select-platform.ts";
export { Verifier } from "./verifier.ts";
export { isWindowsCompatible, parseWindowsVersion, type WindowsVersion } from "./windows-version.ts";
