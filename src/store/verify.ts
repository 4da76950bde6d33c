import { type Digest, OciError } from "../oci/index.ts";

/** What a commit expects of the bytes it was given. */
export interface Expected {
  readonly digest: Digest;
  readonly size?: number | undefined;
}

/** @throws OciError `SIZE_INVALID` */
export function verifySize(expected: Expected, size: number): void {
  if (expected.size !== undefined && expected.size !== size)
    throw sizeError(expected.digest, expected.size, size);
}

/** @throws OciError `DIGEST_INVALID` */
export function verifyDigest(expected: Expected, digest: Digest): void {
  if (digest === expected.digest) return;
  throw new OciError(
    "DIGEST_INVALID",
    `Cannot keep blob "${expected.digest}": its bytes hash to "${digest}"`,
  );
}

export function sizeError(digest: Digest, expected: number, size: number): OciError {
  return new OciError(
    "SIZE_INVALID",
    `Cannot keep blob "${digest}": it has ${size} bytes instead of ${expected}`,
  );
}

/** For a source that goes on after the last byte expected of it. */
export function tooLongError(digest: Digest, expected: number): OciError {
  return new OciError(
    "SIZE_INVALID",
    `Cannot keep blob "${digest}": more than the ${expected} bytes expected of it arrived`,
  );
}
