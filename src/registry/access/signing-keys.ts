/**
 * The keys our own tokens are signed with: given, or made here and replaced by new ones now and then.
 *
 * ```text
 * key 1 signs ──────────────► replaced, still believed ──► forgotten, once no token of its can be valid any more
 *                   key 2 signs ─────────────────────────►
 * ```
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";

import type { JSONWebKeySet, JWK } from "jose";

import { RegistryError } from "../errors.ts";
import type { AccessStore, SigningKeyRecord } from "./store.ts";

export type SigningAlgorithm = SigningKeyRecord["algorithm"];

export interface SigningKey {
  readonly id: string;
  readonly algorithm: SigningAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly createdAt: number;
}

export interface SigningKeysOptions {
  readonly store: AccessStore;
  /** Private keys in PEM; the first one signs. Without any, keys are made. */
  readonly given: readonly string[];
  /** Of keys that are made here. */
  readonly algorithm: SigningAlgorithm;
  /** A key that was made here signs for so many milliseconds. */
  readonly rotateAfter: number;
  /** Milliseconds for which tokens of a replaced key may still come. */
  readonly believedFor: number;
  readonly clock: () => number;
}

export class SigningKeys {
  readonly #options: SigningKeysOptions;
  readonly #given: readonly SigningKey[];
  #loaded: { readonly keys: readonly SigningKey[]; readonly generation: string | undefined } | undefined;

  private constructor(options: SigningKeysOptions, given: readonly SigningKey[]) {
    this.#options = options;
    this.#given = given;
  }

  /** @throws RegistryError `CONFIG_INVALID` for a key that can't sign */
  static async open(options: SigningKeysOptions): Promise<SigningKeys> {
    const given = await Promise.all(options.given.map((pem, index) => readGiven(pem, index)));
    const keys = new SigningKeys(options, given);
    await keys.current();
    return keys;
  }

  /** The key to sign with now. */
  async current(): Promise<SigningKey> {
    const [first] = this.#given;
    if (first !== undefined) return first;
    const newest = (await this.#load()).at(-1);
    const { clock, rotateAfter } = this.#options;
    if (newest !== undefined && clock() - newest.createdAt < rotateAfter) return newest;
    await this.rotate();
    return (await this.#load()).at(-1) as SigningKey;
  }

  async find(id: string): Promise<SigningKey | undefined> {
    return (await this.#all()).find((key) => key.id === id);
  }

  /** For whoever else checks our tokens. */
  async publicSet(): Promise<JSONWebKeySet> {
    const keys = await this.#all();
    return {
      keys: keys.map((key) => {
        const jwk = key.publicKey.export({ format: "jwk" }) as JWK;
        return { ...jwk, kid: key.id, use: "sig", alg: key.algorithm };
      }),
    };
  }

  /** Makes a new key to sign with, and forgets those nobody can have a valid token of. */
  async rotate(): Promise<void> {
    const { store, algorithm, clock, believedFor } = this.#options;
    const keys = await store.listKeys();
    const now = clock();
    for (const [index, key] of keys.entries()) {
      const successor = keys[index + 1];
      if (successor !== undefined && successor.createdAt + believedFor < now) await store.deleteKey(key.id);
    }
    // Strictly younger than any other, so that every process signs with the same one.
    const createdAt = Math.max(now, (keys.at(-1)?.createdAt ?? 0) + 1);
    const privateKey = makeKey(algorithm);
    const id = await thumbprintOf(createPublicKey(privateKey));
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    await store.addKey({ id, algorithm, createdAt, privateKey: pem });
  }

  async #all(): Promise<readonly SigningKey[]> {
    return [...this.#given, ...(this.#given.length > 0 ? [] : await this.#load())];
  }

  async #load(): Promise<readonly SigningKey[]> {
    const { store } = this.#options;
    const generation = store.generation();
    if (generation !== undefined && this.#loaded?.generation === generation) return this.#loaded.keys;
    const keys = (await store.listKeys()).map((record) => {
      const known = this.#loaded?.keys.find((key) => key.id === record.id);
      return (
        known ?? withKeys(record.id, record.algorithm, record.createdAt, createPrivateKey(record.privateKey))
      );
    });
    this.#loaded = { keys, generation };
    return keys;
  }
}

function makeKey(algorithm: SigningAlgorithm): KeyObject {
  switch (algorithm) {
    case "ES256":
      return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    case "RS256":
      return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    case "EdDSA":
      return generateKeyPairSync("ed25519").privateKey;
  }
}

async function readGiven(pem: string, index: number): Promise<SigningKey> {
  const invalid = (why: string, cause?: unknown): RegistryError =>
    new RegistryError("CONFIG_INVALID", `Cannot sign tokens with key ${index + 1} of tokens.keys: ${why}`, {
      cause,
    });
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw invalid("it is not a private key in PEM", cause);
  }
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) throw invalid("it has to be EC on P-256, RSA from 2048 bits up, or Ed25519");
  return withKeys(await thumbprintOf(createPublicKey(key)), algorithm, 0, key);
}

function algorithmOf(key: KeyObject): SigningAlgorithm | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "ed25519") return "EdDSA";
  if (type === "ec") return details?.namedCurve === "prime256v1" ? "ES256" : undefined;
  return type === "rsa" && (details?.modulusLength ?? 0) >= 2048 ? "RS256" : undefined;
}

function withKeys(
  id: string,
  algorithm: SigningAlgorithm,
  createdAt: number,
  privateKey: KeyObject,
): SigningKey {
  return { id, algorithm, createdAt, privateKey, publicKey: createPublicKey(privateKey) };
}

async function thumbprintOf(key: KeyObject): Promise<string> {
  const { calculateJwkThumbprint } = await import("jose");
  return await calculateJwkThumbprint(key.export({ format: "jwk" }) as JWK);
}
