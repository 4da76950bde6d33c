/** The keys of somebody else's issuer: from a file or a URL, read again when a token names one that isn't among them. */
import { createPublicKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";

import type { JSONWebKeySet, JWK } from "jose";

import { RegistryError } from "../errors.ts";

/** The same as the platform's; handed in by whoever runs the registry. */
export type Fetch = (url: string, init: { readonly signal: AbortSignal }) => Promise<Response>;

export interface JwksOptions {
  /** A path, or an `http` or `https` URL. */
  readonly location: string;
  readonly fetch: Fetch;
  readonly clock: () => number;
}

/** Milliseconds after which keys are read again, so that one that was withdrawn stops counting. */
const MAX_AGE = 10 * 60_000;
/** Milliseconds between two readings for unknown keys, however many of them tokens name, and after a failure. */
const COOLDOWN = 5_000;
const TIMEOUT = 10_000;
const MAX_BYTES = 1024 * 1024;

export class JwksSource {
  readonly #options: JwksOptions;
  #keys: JSONWebKeySet | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  /** Apart from other readings: keys may be replaced right after one, and the first who comes with a new one is let in. */
  #readForUnknownAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<JSONWebKeySet> | undefined;
  #failure: unknown;

  constructor(options: JwksOptions) {
    this.#options = options;
  }

  /**
   * The keys; those read before when they can't be read now. `fresh`: a token names one that isn't among them.
   *
   * @throws RegistryError `CONFIG_UNREADABLE`, `CONFIG_INVALID` when they never could
   */
  async keys(options: { readonly fresh?: boolean } = {}): Promise<JSONWebKeySet> {
    const now = this.#options.clock();
    const fresh = options.fresh === true;
    const isDue = fresh ? now - this.#readForUnknownAt >= COOLDOWN : now - this.#readAt >= MAX_AGE;
    if (this.#keys !== undefined && !isDue) return this.#keys;
    const failedLately = this.#reading === undefined && now - this.#readAt < COOLDOWN;
    if (this.#keys === undefined && failedLately) throw this.#failure;
    if (fresh) this.#readForUnknownAt = now;
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    try {
      return await this.#reading;
    } catch (error) {
      this.#failure = error;
      if (this.#keys === undefined) throw error;
      return this.#keys;
    }
  }

  async #read(): Promise<JSONWebKeySet> {
    this.#readAt = this.#options.clock();
    const { location } = this.#options;
    const keys = await parseKeys(await this.#load(), location);
    this.#keys = keys;
    return keys;
  }

  async #load(): Promise<string> {
    const { location, fetch } = this.#options;
    try {
      if (!/^https?:/i.test(location)) return await readFile(location, "utf8");
      const response = await fetch(location, { signal: AbortSignal.timeout(TIMEOUT) });
      if (!response.ok) throw new Error(`it answers ${response.status}`);
      const text = await response.text();
      if (text.length > MAX_BYTES) throw new Error("its answer is too long");
      return text;
    } catch (cause) {
      const message = `Cannot read keys from ${JSON.stringify(location)}: ${(cause as Error).message}`;
      throw new RegistryError("CONFIG_UNREADABLE", message, { cause });
    }
  }
}

/**
 * Reads a JWK set, or keys and certificates in PEM. A key without an id goes by its thumbprint.
 *
 * @throws RegistryError `CONFIG_INVALID`
 */
export async function parseKeys(text: string, location: string): Promise<JSONWebKeySet> {
  const { calculateJwkThumbprint } = await import("jose");
  let keys: readonly JWK[];
  try {
    keys = text.includes("-----BEGIN") ? parsePem(text) : parseSet(text);
    return {
      keys: await Promise.all(
        keys.map(async (key) => ({
          ...publicPart(key),
          kid: key.kid ?? (await calculateJwkThumbprint(key)),
        })),
      ),
    };
  } catch (cause) {
    const message = `Cannot use the keys in ${JSON.stringify(location)}: they are neither a JWK set nor PEM`;
    throw new RegistryError("CONFIG_INVALID", message, { cause });
  }
}

function parseSet(text: string): readonly JWK[] {
  const document = JSON.parse(text) as { readonly keys?: unknown } & JWK;
  const keys: unknown = document.keys ?? [document];
  if (!Array.isArray(keys) || keys.length === 0) throw new TypeError("no keys");
  const known = (keys as readonly JWK[]).filter((key) => ["RSA", "EC", "OKP"].includes(key.kty ?? ""));
  // What signs with a secret both sides know can't be checked with a key that everybody may read.
  if (known.length === 0) throw new TypeError("no public keys");
  return known;
}

function parsePem(text: string): readonly JWK[] {
  const blocks = text.match(/-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g) ?? [];
  return blocks.map((pem) => {
    const key = pem.includes("CERTIFICATE") ? new X509Certificate(pem).publicKey : createPublicKey(pem);
    return key.export({ format: "jwk" }) as JWK;
  });
}

function publicPart(key: JWK): JWK {
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, oth: _oth, ...rest } = key;
  return rest;
}
