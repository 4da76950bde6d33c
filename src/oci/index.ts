/** The specs' words, without I/O: digests, descriptors, documents, platforms, the content port. */
export { type ByteConsumer, type ContentSink, type ContentSource, type ContentStream } from "./content.ts";
export { type ImageSink, type ImageSource, type Resolver, type Tagger, type TagOptions } from "./content.ts";
export { type OpenOptions, type SignalOptions, type WriteOptions, type WriteOutcome } from "./content.ts";
export { type Annotations, type Descriptor } from "./descriptor.ts";
export { DIGEST_ALGORITHMS, DIGEST_LENGTHS, type Digest, type DigestAlgorithm } from "./digest.ts";
export { DigestHasher, type DigestFault, type DigestOptions } from "./digest.ts";
export {
  digestAlgorithm,
  digestEncoded,
  digestOf,
  findDigestFault,
  isDigest,
  parseDigest,
} from "./digest.ts";
export { OciError, type OciErrorCode } from "./errors.ts";
export { type Index, type Manifest, type ManifestOrIndex } from "./manifest.ts";
export { MEDIA_TYPES, trimMediaType } from "./media-types.ts";
export { isForeignLayerType, isImageConfigType, isIndexType, isSchema1Type } from "./media-types.ts";
export { isManifestOrIndexType, isManifestType } from "./media-types.ts";
export { formatFullPlatform, formatPlatform, normalizePlatform, type Platform } from "./platform.ts";
export { parsePlatform, type ParsePlatformOptions } from "./parse-platform.ts";
export { allPlatforms, anyPlatform, hostPlatformMatcher, onlyOsPlatform } from "./match-platform.ts";
export { onlyPlatform, onlyStrictPlatform, orderedPlatforms, windowsPlatform } from "./match-platform.ts";
export { compareRanks, compatiblePlatforms, matchesPlatform, sortPlatforms } from "./match-platform.ts";
export { type PlatformMatcher, type PlatformRank } from "./match-platform.ts";
export { cpuVariantFromMachine, hostPlatform, type HostFacts } from "./host-platform.ts";
export { listPlatforms, selectPlatform } from "./select-platform.ts";
export { type EntryVerdict, type JudgedEntry, type PlatformSelection } from "./select-platform.ts";
export { isWindowsCompatible, parseWindowsVersion, type WindowsVersion } from "./windows-version.ts";
export { equalsCranePlatform, formatCranePlatform, parseCranePlatform } from "./crane-platform.ts";
export { satisfiesCranePlatform, selectCranePlatform, type CranePlatform } from "./crane-platform.ts";
export { isRepositoryName, isTag, scanRepository, scanTag } from "./repository.ts";
export { MAX_REPOSITORY_LENGTH, MAX_TAG_LENGTH } from "./repository.ts";
export { ERROR_STATUS, errorStatus, isDistributionErrorCode } from "./error-codes.ts";
export { formatErrorBody, parseErrorBody } from "./error-codes.ts";
export { type DistributionError, type DistributionErrorCode } from "./error-codes.ts";
export { matchRoute, routes, type RouteMatch, type RouteName, type Routes } from "./routes.ts";
export { ANNOTATIONS, isRefName } from "./annotations.ts";
export { detectCompression, type Compression } from "./compression.ts";
export { artifactTypeOf, childrenOf, parseManifest, type ParseDocumentOptions } from "./documents.ts";
export { DOCUMENT_READ_LIMIT, MAX_DESCRIPTORS, MAX_DOCUMENT_SIZE } from "./documents.ts";
export { EMPTY_DESCRIPTOR, EMPTY_JSON } from "./empty-descriptor.ts";
export {
  parseImageConfig,
  type ContainerConfig,
  type HistoryEntry,
  type ImageConfig,
} from "./image-config.ts";
export { embeddedContent, readContent, type ReadContentOptions } from "./read-content.ts";
export { parseDescriptor } from "./read-descriptor.ts";
export { Verifier } from "./verifier.ts";
export { copy, copyContent, type CopyEvent, type CopyOptions, type CopyResult } from "./copy.ts";
export { MAX_DOCUMENT_BYTES, MAX_DOCUMENTS, MAX_INDEX_DEPTH } from "./copy-plan.ts";
export { MemoryContent, memoryStream, type MemoryContentOptions } from "./memory-content.ts";
