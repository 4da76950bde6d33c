import { isTag, MAX_REPOSITORY_LENGTH, type Digest } from "../oci/index.ts";
import { InvalidReferenceError, quote } from "./errors.ts";
import { isDigestForm, matchName } from "./grammar.ts";
import { DEFAULT_TAG } from "./parse.ts";
import { type Reference } from "./reference.ts";

/**
 * A reference of a name alone, read as it stands.
 *
 * @throws InvalidReferenceError `INVALID_FORMAT`, also for the empty text; `NAME_TOO_LONG`
 */
export function withName(name: string): Reference {
  const parts = matchName(name);
  if (parts === undefined) {
    throw new InvalidReferenceError(
      "INVALID_FORMAT",
      `Cannot read repository name ${quote(name)}: it should look like [registry/]repository`,
    );
  }
  if (parts.path.length > MAX_REPOSITORY_LENGTH) {
    throw new InvalidReferenceError(
      "NAME_TOO_LONG",
      `Cannot read repository name ${quote(name)}: it has more than ${MAX_REPOSITORY_LENGTH} characters`,
    );
  }
  return parts;
}

/**
 * The same reference with another tag; a digest stays.
 *
 * @throws InvalidReferenceError `INVALID_TAG`
 */
export function withTag(reference: Reference, tag: string): Reference {
  if (!isTag(tag)) {
    throw new InvalidReferenceError(
      "INVALID_TAG",
      `Cannot use tag ${quote(tag)}: it takes up to 128 letters, digits, "_", "." and "-", the first no "." or "-"`,
    );
  }
  return { ...reference, tag };
}

/**
 * The same reference with another digest; a tag stays. Only the digest's outer form is checked, as for names
 * read from a text: who got the digest from outside checks it with `parseDigest`.
 *
 * @throws InvalidReferenceError `INVALID_DIGEST_FORMAT`
 */
export function withDigest(reference: Reference, digest: string): Reference {
  if (!isDigestForm(digest)) {
    throw new InvalidReferenceError(
      "INVALID_DIGEST_FORMAT",
      `Cannot use digest ${quote(digest)}: it should look like sha256:<64 lower-case hex digits>`,
    );
  }
  return { ...reference, digest: digest as Digest };
}

/** The name alone. */
export function trimReference({ domain, path }: Reference): Reference {
  return { domain, path };
}

/** Adds `:latest` where there is neither tag nor digest. */
export function tagNameOnly(reference: Reference): Reference {
  const named = reference.tag === undefined && reference.digest === undefined;
  return named ? { ...reference, tag: DEFAULT_TAG } : reference;
}
