import { Secret } from "../credentials/index.ts";
import { ClientError } from "./errors.ts";

/** A Bearer token and when to ask for the next. */
export interface Token {
  readonly value: Secret;
  /** Milliseconds since the epoch; beyond 90 % of the lifetime a token may run out on its way. */
  readonly refreshAt: number;
  /** Stands for the credential in later exchanges. */
  readonly refreshToken: Secret | undefined;
}

/** Seconds a token is good for when the service doesn't say. */
const DEFAULT_LIFETIME = 60;

/**
 * Reads a token service's answer, to GET or POST.
 * @throws ClientError `TOKEN_FAILED` when there's no usable token in it
 */
export function parseTokenResponse(
  body: Uint8Array,
  { now, realm }: { readonly now: number; readonly realm: string },
): Token {
  const document = parseObject(body, realm);
  const value = textOf(document["access_token"]) ?? textOf(document["token"]);
  if (value === undefined) throw failed(realm, "its answer holds no token");
  // It becomes part of a header line.
  if (!/^[\x21-\x7e]+$/.test(value)) throw failed(realm, "its token has characters no header may carry");
  const seconds = Number(document["expires_in"] ?? DEFAULT_LIFETIME);
  const lifetime = (seconds > 0 ? seconds : DEFAULT_LIFETIME) * 1000;
  const refresh = textOf(document["refresh_token"]);
  return {
    value: new Secret(value),
    refreshAt: issuedAt(document["issued_at"], { now, lifetime }) + lifetime * 0.9,
    refreshToken: refresh === undefined ? undefined : new Secret(refresh),
  };
}

/** The service's own time, unless its clock puts the token into the future or has it expired on arrival. */
function issuedAt(value: unknown, { now, lifetime }: { now: number; lifetime: number }): number {
  const issued = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return issued < now && issued + lifetime * 0.9 > now ? issued : now;
}

function parseObject(body: Uint8Array, realm: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(body));
  } catch {
    // The parser's message would quote the text, which may hold a token.
    throw failed(realm, "its answer is not JSON");
  }
  if (typeof document !== "object" || document === null) {
    throw failed(realm, "its answer is not a JSON object");
  }
  return document as Record<string, unknown>;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function failed(realm: string, why: string): ClientError {
  return new ClientError("TOKEN_FAILED", `Cannot get a token from "${realm}": ${why}`);
}
