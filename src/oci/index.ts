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
export { type Platform } from "./platform.ts";
export { isRepositoryName, isTag, scanRepository, scanTag } from "./repository.ts";
export { MAX_REPOSITORY_LENGTH, MAX_TAG_LENGTH } from "./repository.ts";
export { ERROR_STATUS, errorStatus, isDistributionErrorCode } from "./error-codes.ts";
export { formatErrorBody, parseErrorBody } from "./error-codes.ts";
export { type DistributionError, type DistributionErrorCode } from "./error-codes.ts";
export { matchRoute, routes, type RouteMatch, type RouteName, type Routes } from "./routes.ts";
