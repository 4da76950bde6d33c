import { GoError } from "../../internal/go/errors.ts";
import type { Secret } from "../../internal/secret.ts";
import type { ServiceAccount, ServiceAccounts, ServiceAccountTokenRequest } from "./service-accounts.ts";

/** A token as the API gave it. */
export interface IssuedToken {
  readonly token: Secret;
  /** Milliseconds since the epoch. */
  readonly expires: number;
  /** Seconds it was given for. */
  readonly lifetimeSeconds: number;
}

/** The API itself, asked for every token. */
export interface TokenIssuer {
  get(namespace: string, name: string): Promise<ServiceAccount>;
  issue(request: ServiceAccountTokenRequest): Promise<IssuedToken>;
}

export interface TokenCacheOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** From 0 up to 1, so that a node's tokens aren't renewed all at once. */
  readonly random: () => number;
}

const DAY = 24 * 60 * 60 * 1000;
const JITTER_SECONDS = 10;

/**
 * Keeps tokens until a fifth of their lifetime, or a day of it, is all that is left. While the API fails, one that
 * hasn't expired is still given out.
 */
export class CachingServiceAccounts implements ServiceAccounts {
  readonly #issuer: TokenIssuer;
  readonly #options: TokenCacheOptions;
  readonly #tokens = new Map<string, IssuedToken>();

  constructor(issuer: TokenIssuer, options: TokenCacheOptions) {
    this.#issuer = issuer;
    this.#options = options;
  }

  get(namespace: string, name: string): Promise<ServiceAccount> {
    return this.#issuer.get(namespace, name);
  }

  async requestToken(request: ServiceAccountTokenRequest): Promise<Secret> {
    const { namespace, serviceAccountName, serviceAccountUID, audiences, pod } = request;
    const key = JSON.stringify([
      serviceAccountName,
      namespace,
      audiences,
      pod.name,
      pod.uid,
      serviceAccountUID,
    ]);
    const kept = this.#tokens.get(key);
    if (kept !== undefined && !this.#isDue(kept)) return kept.token;
    try {
      const issued = await this.#issuer.issue(request);
      this.#forgetExpired();
      this.#tokens.set(key, issued);
      return issued.token;
    } catch (error) {
      if (kept === undefined)
        throw new GoError(`failed to fetch token: ${messageOf(error)}`, { cause: error });
      if (this.#options.now() <= kept.expires) return kept.token;
      throw new GoError(`token ${key} expired and refresh failed: ${messageOf(error)}`, { cause: error });
    }
  }

  #isDue({ expires, lifetimeSeconds }: IssuedToken): boolean {
    const { now, random } = this.#options;
    const jitter = Math.trunc(random() * JITTER_SECONDS) * 1000;
    const issued = expires - lifetimeSeconds * 1000;
    const margin = Math.trunc((lifetimeSeconds * 20) / 100) * 1000;
    return now() > issued + DAY - jitter || now() > expires - margin - jitter;
  }

  #forgetExpired(): void {
    const now = this.#options.now();
    for (const [key, { expires }] of this.#tokens) if (now > expires) this.#tokens.delete(key);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
