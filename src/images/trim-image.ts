import { InvalidReferenceError, type InvalidReferenceErrorCode, parseReference } from "../reference/index.ts";
import { ImagesError } from "./errors.ts";

/** Kubernetes' words for a text that is no reference, by the code of our own parser. */
const FAULTS: Partial<Readonly<Record<InvalidReferenceErrorCode, string>>> = {
  NAME_EMPTY: "repository name must have at least one component",
  NAME_CONTAINS_UPPERCASE: "repository name must be lowercase",
  NAME_TOO_LONG: "repository name must not be more than 255 characters",
  DIGEST_UNSUPPORTED: "unsupported digest algorithm",
  DIGEST_INVALID_LENGTH: "invalid checksum digest length",
  DIGEST_INVALID_FORMAT: "invalid checksum digest format",
};

/** What Kubernetes says about a text that our parser refused with this code. */
export function referenceFault(code: InvalidReferenceErrorCode): string {
  return FAULTS[code] ?? "invalid reference format";
}

/**
 * The text without its tag and digest, otherwise exactly as it is: nothing is completed, so `ubuntu` and
 * `docker.io/library/ubuntu` stay two names. Pull records and allowlists are keyed by this.
 *
 * @throws ImagesError `IMAGE_NAME_INVALID` with the kubelet's message
 */
export function trimImageTagDigest(image: string): string {
  try {
    const { tag, digest } = parseReference(image, { normalize: false });
    // The grammar puts the digest last and the tag before it, so both are suffixes.
    const named = digest === undefined ? image : image.slice(0, -(digest.length + 1));
    return tag === undefined ? named : named.slice(0, -(tag.length + 1));
  } catch (error) {
    if (!(error instanceof InvalidReferenceError)) throw error;
    throw new ImagesError("IMAGE_NAME_INVALID", referenceFault(error.code), { cause: error });
  }
}
