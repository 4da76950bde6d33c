import { randomUUID, type KeyObject, type X509Certificate } from "node:crypto";

import type { CryptoKey, JWK, JWTHeaderParameters, JWTPayload } from "jose";

import { verifyChain } from "./certificate-chain.ts";
import type { JwksSource } from "./jwks.ts";
import type { Scope } from "./scope.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** Signatures anybody can check and only the issuer can make; never `none`, nor a secret that both sides know. */
const ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");

/** Seconds that clocks may differ by. */
export const LEEWAY = 60;

/** Whose tokens are taken. */
export interface Issuer {
  readonly name: string;
  readonly audience: string;
  readonly keys: SigningKeys | JwksSource | undefined;
  /** Who may vouch for a key that comes with the token. */
  readonly roots: readonly X509Certificate[];
}

export interface TokenClaims {
  readonly issuer: Issuer;
  /** Empty for nobody in particular. */
  readonly subject: string;
  /** `undefined` for a token that says nothing about scopes. */
  readonly scopes: readonly Scope[] | undefined;
  readonly groups: (claim: string) => readonly string[];
  /** Milliseconds since the epoch, leeway included. */
  readonly validUntil: number;
}

/**
 * Checks signature, issuer, audience and times of a token; `undefined` for one that isn't good.
 *
 * @throws RegistryError when an issuer's keys can't be had
 */
export async function verifyToken(
  token: string,
  issuers: readonly Issuer[],
  now: number,
): Promise<TokenClaims | undefined> {
  const jose = await import("jose");
  let claimed: JWTPayload;
  try {
    claimed = jose.decodeJwt(token);
  } catch {
    return undefined;
  }
  for (const issuer of issuers.filter((one) => one.name === claimed.iss)) {
    try {
      const find = (header: JWTHeaderParameters): Promise<KeyObject | CryptoKey> =>
        findKey(issuer, header, now);
      const { payload } = await jose.jwtVerify(token, find, {
        algorithms: ALGORITHMS,
        issuer: issuer.name,
        audience: issuer.audience,
        clockTolerance: LEEWAY,
        currentDate: new Date(now),
        requiredClaims: ["exp"],
      });
      return readClaims(payload, issuer);
    } catch (error) {
      // Anything else is a failure of ours, such as keys that can't be read.
      if (!(error instanceof jose.errors.JOSEError) && !(error instanceof UnusableKey)) throw error;
    }
  }
  return undefined;
}

/** Signs a token of our own. */
export async function signToken(
  keys: SigningKeys,
  claims: {
    readonly issuer: string;
    readonly audience: string;
    readonly subject: string;
    readonly scopes: readonly Scope[];
    /** Seconds since the epoch. */
    readonly issuedAt: number;
    /** Seconds since the epoch. */
    readonly expiresAt: number;
  },
): Promise<string> {
  const { SignJWT } = await import("jose");
  const key = await keys.current();
  const access = claims.scopes.map(({ type, class: kind, name, actions }) => ({
    type,
    ...(kind !== undefined && { class: kind }),
    name,
    actions,
  }));
  return await new SignJWT({ access })
    .setProtectedHeader({ typ: "JWT", alg: key.algorithm, kid: key.id })
    .setIssuer(claims.issuer)
    .setSubject(claims.subject)
    .setAudience(claims.audience)
    .setIssuedAt(claims.issuedAt)
    .setNotBefore(claims.issuedAt)
    .setExpirationTime(claims.expiresAt)
    .setJti(randomUUID())
    .sign(key.privateKey);
}

class UnusableKey extends Error {}

/** A certificate chain up to a root first, then a key we know by the key itself, then one we know by its id. */
async function findKey(
  issuer: Issuer,
  header: JWTHeaderParameters,
  now: number,
): Promise<KeyObject | CryptoKey> {
  const { keys, roots } = issuer;
  if (header.x5c !== undefined) return keyOfChain(header.x5c, roots, now);
  if (keys === undefined) throw new UnusableKey("no keys");
  const { jwk } = header;
  const embedded = jwk?.x5c as unknown;
  if (Array.isArray(embedded) && roots.length > 0) return keyOfChain(embedded, roots, now);
  const id = jwk === undefined ? header.kid : await thumbprintOf(jwk as JWK);
  if ("publicSet" in keys) {
    const key = id === undefined ? undefined : await keys.find(id);
    // Each key has one algorithm; another one in the header is somebody's trick.
    if (key === undefined || key.algorithm !== header.alg) throw new UnusableKey("unknown key");
    return key.publicKey;
  }
  return await findIn(keys, header, id);
}

async function findIn(
  source: JwksSource,
  header: JWTHeaderParameters,
  id: string | undefined,
): Promise<CryptoKey | KeyObject> {
  const { createLocalJWKSet, errors } = await import("jose");
  const { jwk: _jwk, kid: _kid, ...rest } = header;
  const wanted = id === undefined ? rest : { ...rest, kid: id };
  const pick = async (fresh: boolean): Promise<CryptoKey | KeyObject> =>
    await createLocalJWKSet(await source.keys({ fresh }))(wanted);
  try {
    return await pick(false);
  } catch (error) {
    // The issuer may have a new key since we read them.
    if (error instanceof errors.JWKSNoMatchingKey) return await pick(true);
    throw error;
  }
}

function keyOfChain(chain: unknown, roots: readonly X509Certificate[], now: number): KeyObject {
  const texts = Array.isArray(chain) ? chain.filter((one) => typeof one === "string") : [];
  const key = verifyChain(texts, roots, now);
  if (key === undefined) throw new UnusableKey("unknown certificate");
  return key;
}

async function thumbprintOf(jwk: JWK): Promise<string> {
  const { calculateJwkThumbprint } = await import("jose");
  return await calculateJwkThumbprint(jwk);
}

function readClaims(payload: JWTPayload, issuer: Issuer): TokenClaims {
  return {
    issuer,
    subject: payload.sub ?? "",
    scopes: payload["access"] === undefined ? undefined : readScopes(payload["access"]),
    groups: (claim) => stringsOf(payload[claim]),
    validUntil: ((payload.exp ?? 0) + LEEWAY) * 1_000,
  };
}

/** An entry of another shape grants nothing. */
function readScopes(access: unknown): readonly Scope[] {
  if (!Array.isArray(access)) return [];
  return access.flatMap((entry: unknown): Scope[] => {
    if (typeof entry !== "object" || entry === null) return [];
    const { type, name, actions } = entry as Readonly<Record<string, unknown>>;
    if (typeof type !== "string" || typeof name !== "string") return [];
    return [{ type, name, actions: stringsOf(actions) }];
  });
}

function stringsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
