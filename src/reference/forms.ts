import { isDigest, type Digest, type DigestOptions } from "../oci/index.ts";
import { InvalidReferenceError, quote } from "./errors.ts";
import { formatReference } from "./format.ts";
import { isIdentifier } from "./grammar.ts";
import { parseReference } from "./parse.ts";
import { type Reference } from "./reference.ts";
import { tagNameOnly } from "./with.ts";

/**
 * Reads a reference that must be in canonical form already.
 *
 * @throws InvalidReferenceError `NAME_NOT_CANONICAL`, or what {@link parseReference} throws
 */
export function parseNamed(text: string, options: DigestOptions = {}): Reference {
  const reference = parseReference(text, options);
  const canonical = formatReference(reference);
  if (canonical === text) return reference;
  throw new InvalidReferenceError(
    "NAME_NOT_CANONICAL",
    `Cannot use image reference ${quote(text)}: its full form is needed, ${quote(canonical)}`,
  );
}

/**
 * Reads whatever may stand for an image: a bare image id or digest, given back as the digest, or a name.
 *
 * @throws InvalidReferenceError
 */
export function parseAny(text: string, options: DigestOptions = {}): Reference | Digest {
  if (isIdentifier(text)) return `sha256:${text}` as Digest;
  if (isDigest(text, options)) return text;
  return parseReference(text, options);
}

/**
 * Reads a reference for pulling: `:latest` where nothing else is said, and no tag beside a digest, because the
 * digest alone decides what is fetched.
 *
 * @throws InvalidReferenceError
 */
export function parseDockerRef(text: string, options: DigestOptions = {}): Reference {
  const reference = parseReference(text, options);
  const { domain, path, tag, digest } = reference;
  return tag !== undefined && digest !== undefined ? { domain, path, digest } : tagNameOnly(reference);
}
