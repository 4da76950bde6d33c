/**
 * Keys that can't run into one another: every text is written behind its length.
 *
 * ```text
 * str(x)               length in 2 bytes, x
 * map(m)               number of entries in 4 bytes, then str(name) str(value), by the bytes of the names
 * service account key  str(namespace) str(name) str(uid) map(annotations) [ str("token") str(hash of the token) ]
 * cache key            str(base) str(service account key)
 * flight key           str(image) str(hash of the token) map(annotations)
 * ```
 */
import { hash } from "node:crypto";
import { GoError } from "../../internal/go/errors.ts";
import { compareBytes } from "../../internal/go/utf8.ts";
import type { Secret } from "../../internal/secret.ts";

/** A key's bytes, each as one character. */
export type BinaryKey = string;

export interface ServiceAccountKeyParts {
  readonly namespace: string;
  readonly serviceAccountName: string;
  readonly serviceAccountUID: string;
  readonly annotations: ReadonlyMap<string, string>;
  /** With `Token`, the token is part of the key. */
  readonly cacheType: string;
  readonly tokenHash: string;
}

/** The base of a response that serves all images. */
export const GLOBAL_BASE = "<global>";

/** @throws GoError for a text too long to be written */
export function serviceAccountKey(parts: ServiceAccountKeyParts): BinaryKey {
  const { namespace, serviceAccountName, serviceAccountUID, annotations, cacheType, tokenHash } = parts;
  const who = lengthPrefixed(namespace, serviceAccountName, serviceAccountUID) + mapOf(annotations);
  return cacheType === "Token" ? who + lengthPrefixed("token", tokenHash) : who;
}

/** @throws GoError for a text too long to be written */
export function cacheKey(base: string, account: BinaryKey): BinaryKey {
  return lengthPrefixed(base) + prefix(account);
}

/** @throws GoError for a text too long to be written */
export function flightKey(
  image: string,
  tokenHash: string,
  annotations: ReadonlyMap<string, string>,
): BinaryKey {
  return lengthPrefixed(image, tokenHash) + mapOf(annotations);
}

/** `sha256:<hex>`; empty for an empty token. */
export function hashToken(token: Secret): string {
  return token.empty ? "" : `sha256:${hash("sha256", token.reveal(), "hex")}`;
}

/** The registry of an image: what stands before the first slash. */
export function registryOf(image: string): string {
  return image.split("/")[0] ?? "";
}

function mapOf(map: ReadonlyMap<string, string>): BinaryKey {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(map.size);
  const entries = [...map].toSorted(([a], [b]) => compareBytes(a, b));
  return count.toString("latin1") + entries.map(([name, value]) => lengthPrefixed(name, value)).join("");
}

function lengthPrefixed(...texts: readonly string[]): BinaryKey {
  return texts.map((text) => prefix(Buffer.from(text, "utf8").toString("latin1"))).join("");
}

function prefix(bytes: BinaryKey): BinaryKey {
  if (bytes.length > 0xffff) {
    throw new GoError(`cryptobyte: pending child length ${bytes.length} exceeds 2-byte length prefix`);
  }
  return String.fromCharCode(bytes.length >> 8, bytes.length & 0xff) + bytes;
}
