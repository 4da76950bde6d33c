/**
 * Tokens by which a Pod's ServiceAccount proves itself to others, such as a credential provider's registry:
 *
 * ```text
 * { "iss": "https://kubernetes.default.svc.cluster.local", "sub": "system:serviceaccount:team:robot",
 *   "aud": ["registry.example"], "iat": …, "nbf": …, "exp": …, "jti": "…",
 *   "kubernetes.io": { "namespace": "team", "serviceaccount": { "name": "robot", "uid": "…" },
 *                      "pod": { "name": "web-1", "uid": "…" }, "node": { "name": "lab1", "uid": "…" } } }
 * ```
 */
import type { JWTPayload } from "jose";

import { Secret } from "../internal/secret.ts";
import type { ServiceAccountKey } from "./service-account-token-key.ts";

export const DEFAULT_ISSUER = "https://kubernetes.default.svc.cluster.local";

export interface BoundObject {
  readonly name: string;
  readonly uid: string;
}

/** Whose token it is, and what it lasts no longer than. */
export interface ServiceAccountSubject {
  readonly namespace: string;
  readonly serviceAccount: BoundObject;
  readonly pod?: BoundObject | undefined;
  readonly node?: BoundObject | { readonly name: string } | undefined;
}

export interface TokenRequest extends ServiceAccountSubject {
  /** Who it is for; the issuer itself where it is empty. */
  readonly audiences: readonly string[];
  /** An hour by default. */
  readonly lifetimeSeconds?: number | undefined;
}

export interface ServiceAccountToken {
  readonly token: Secret;
  /** Milliseconds since the epoch. */
  readonly expires: number;
  readonly lifetimeSeconds: number;
}

/** What a token that was verified says. */
export interface VerifiedToken extends ServiceAccountSubject {
  /** `system:serviceaccount:team:robot`. */
  readonly username: string;
  /** Those of the token that were asked for. */
  readonly audiences: readonly string[];
  readonly id: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export interface TokenOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly issuer?: string | undefined;
}

const HOUR = 3600;
const PRIVATE = "kubernetes.io";

/** Signs a token. */
export async function issueServiceAccountToken(
  key: ServiceAccountKey,
  request: TokenRequest,
  { now, issuer = DEFAULT_ISSUER }: TokenOptions,
): Promise<ServiceAccountToken> {
  const { SignJWT } = await import("jose");
  const { namespace, serviceAccount, pod, node, lifetimeSeconds = HOUR } = request;
  const issued = Math.floor(now() / 1000);
  const expires = issued + lifetimeSeconds;
  const audiences = request.audiences.length === 0 ? [issuer] : request.audiences;
  const bound = { namespace, ...(node && { node }), ...(pod && { pod }), serviceaccount: serviceAccount };
  const token = await new SignJWT({ [PRIVATE]: bound })
    .setProtectedHeader({ alg: key.algorithm, kid: key.id })
    .setIssuer(issuer)
    .setSubject(usernameOf(namespace, serviceAccount.name))
    .setAudience([...audiences])
    .setIssuedAt(issued)
    .setNotBefore(issued)
    .setExpirationTime(expires)
    .setJti(crypto.randomUUID())
    .sign(key.privateKey);
  return { token: new Secret(token), expires: expires * 1000, lifetimeSeconds };
}

/**
 * What a token says, if this key signed it, it is of its time, and it is for one of the audiences; `undefined` for any
 * other text. Whether its ServiceAccount and its Pod are still there is for the caller to look up.
 */
export async function verifyServiceAccountToken(
  key: ServiceAccountKey,
  token: Secret,
  options: TokenOptions & { readonly audiences?: readonly string[] | undefined },
): Promise<VerifiedToken | undefined> {
  const { now, issuer = DEFAULT_ISSUER } = options;
  const wanted = options.audiences ?? [issuer];
  const { jwtVerify, errors } = await import("jose");
  try {
    const { payload } = await jwtVerify(token.reveal(), key.publicKey, {
      algorithms: [key.algorithm],
      issuer,
      audience: [...wanted],
      currentDate: new Date(now()),
      requiredClaims: ["sub", "exp"],
    });
    return readClaims(payload, wanted);
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

/** `system:serviceaccount:team:robot`. */
export function usernameOf(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

function readClaims(payload: JWTPayload, wanted: readonly string[]): VerifiedToken | undefined {
  const bound = payload[PRIVATE];
  if (!isMap(bound)) return undefined;
  const { namespace, serviceaccount, pod, node } = bound;
  const account = readBound(serviceaccount);
  if (typeof namespace !== "string" || account === undefined) return undefined;
  const username = usernameOf(namespace, account.name);
  if (payload.sub !== username || payload.exp === undefined) return undefined;
  const given = typeof payload.aud === "string" ? [payload.aud] : (payload.aud ?? []);
  return {
    namespace,
    serviceAccount: account,
    pod: readBound(pod),
    node:
      isMap(node) && typeof node["name"] === "string"
        ? (readBound(node) ?? { name: node["name"] })
        : undefined,
    username,
    audiences: given.filter((audience) => wanted.includes(audience)),
    id: payload.jti,
    expires: payload.exp * 1000,
  };
}

function readBound(value: unknown): BoundObject | undefined {
  if (!isMap(value)) return undefined;
  const { name, uid } = value;
  return typeof name === "string" && typeof uid === "string" ? { name, uid } : undefined;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
