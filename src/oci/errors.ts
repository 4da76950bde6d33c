import { DrayError } from "../errors.ts";

/**
 * - `DIGEST_INVALID`: not a digest, an algorithm that is not enabled, or content that hashes to another one
 * - `SIZE_INVALID`: content longer or shorter than its descriptor says
 * - `MANIFEST_INVALID`: a document that is not what its media type promises, or exceeds a limit
 * - `MANIFEST_UNSUPPORTED`: a document of a kind dray refuses by name (Docker schema 1)
 * - `PLATFORM_INVALID`: not a platform specifier
 * - `PLATFORM_UNKNOWN`: an index with nothing for the wanted platform
 * - `BLOB_UNKNOWN`: a source that does not have the content of a descriptor
 */
export type OciErrorCode =
  | "DIGEST_INVALID"
  | "SIZE_INVALID"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNSUPPORTED"
  | "PLATFORM_INVALID"
  | "PLATFORM_UNKNOWN"
  | "BLOB_UNKNOWN";

export class OciError extends DrayError<OciErrorCode> {}
