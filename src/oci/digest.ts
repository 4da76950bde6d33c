import { createHash, type Hash } from "node:crypto";

import { OciError } from "./errors.ts";

/** The algorithms dray can verify, with the number of hex digits of their encoded form. */
export const DIGEST_LENGTHS = { sha256: 64, sha384: 96, sha512: 128 } as const;

export type DigestAlgorithm = keyof typeof DIGEST_LENGTHS;

declare const digestBrand: unique symbol;

/**
 * `algorithm:encoded`, checked: a known algorithm and lower-case hex of its exact length. A string at run time,
 * so it serves as a map key and goes into JSON as it is; only {@link parseDigest} and the hasher make one.
 */
export type Digest = string & { readonly [digestBrand]: true };

export const DIGEST_ALGORITHMS: readonly DigestAlgorithm[] = ["sha256", "sha384", "sha512"];

/** Why a text is not a digest, in the order of go-digest's checks. */
export type DigestFault = "invalid-format" | "unsupported" | "invalid-length";

const GENERIC = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;
const HEX = /^[0-9a-f]+$/;

export interface DigestOptions {
  /** The algorithms to accept; all that dray knows by default. */
  readonly algorithms?: readonly DigestAlgorithm[];
}

/** Says what is wrong with `text` as a digest, or `undefined` when it is one. Never throws. */
export function findDigestFault(text: string, options: DigestOptions = {}): DigestFault | undefined {
  const colon = text.indexOf(":");
  if (colon <= 0 || colon === text.length - 1) return "invalid-format";
  const algorithm = text.slice(0, colon);
  const enabled: readonly string[] = options.algorithms ?? DIGEST_ALGORITHMS;
  if (!enabled.includes(algorithm)) return GENERIC.test(text) ? "unsupported" : "invalid-format";
  if (text.length - colon - 1 !== DIGEST_LENGTHS[algorithm as DigestAlgorithm]) return "invalid-length";
  return HEX.test(text.slice(colon + 1)) ? undefined : "invalid-format";
}

export function isDigest(text: string, options: DigestOptions = {}): text is Digest {
  return findDigestFault(text, options) === undefined;
}

/**
 * Reads a digest.
 *
 * @throws OciError `DIGEST_INVALID`
 */
export function parseDigest(text: string, options: DigestOptions = {}): Digest {
  const fault = findDigestFault(text, options);
  if (fault === undefined) return text as Digest;
  throw new OciError(
    "DIGEST_INVALID",
    `Cannot read digest ${JSON.stringify(clip(text))}: ${explain(fault, text)}`,
  );
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(":")) as DigestAlgorithm;
}

/** The hex digits after the colon. */
export function digestEncoded(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** Hashes bytes as they flow; `digest()` ends it. */
export class DigestHasher {
  readonly algorithm: DigestAlgorithm;
  readonly #hash: Hash;

  constructor(algorithm: DigestAlgorithm = "sha256", from?: Hash) {
    this.algorithm = algorithm;
    this.#hash = from ?? createHash(algorithm);
  }

  /** Another hasher that has seen the same bytes. */
  copy(): DigestHasher {
    return new DigestHasher(this.algorithm, this.#hash.copy());
  }

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  digest(): Digest {
    return `${this.algorithm}:${this.#hash.digest("hex")}` as Digest;
  }
}

/** The digest of bytes that are already in memory. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = "sha256"): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}` as Digest;
}

function explain(fault: DigestFault, text: string): string {
  const algorithm = text.slice(0, Math.max(0, text.indexOf(":")));
  switch (fault) {
    case "unsupported":
      return `algorithm ${JSON.stringify(algorithm)} is not enabled`;
    case "invalid-length":
      return `${algorithm} takes ${DIGEST_LENGTHS[algorithm as DigestAlgorithm]} hex digits`;
    case "invalid-format":
      return "it should look like sha256:<64 lower-case hex digits>";
  }
}

function clip(text: string): string {
  return text.length <= 160 ? text : `${text.slice(0, 157)}...`;
}
