import { createHash } from "node:crypto";
import type { Credential, CredentialCandidate, CredentialSource } from "../credentials/index.ts";
import type { AuthorizedRequest } from "./authorizer.ts";
import { setBounded } from "./authorizer-memory.ts";
import type { RegistryHost } from "./host.ts";

/** Who we are to a host and repository; without a candidate, nobody in particular. */
export interface Identity {
  /** Equal for equal credentials. */
  readonly id: string;
  readonly candidate: CredentialCandidate | undefined;
  /** Turned down; it may have been changed where it's kept, so the next request looks there again. */
  stale: boolean;
}

interface Lookup {
  readonly promise: Promise<Identity>;
  readonly signal: AbortSignal | undefined;
}

/**
 * Asks the credential source once per contacted host and repository, and again after a refusal. Requests that come
 * together share a lookup, since one may start a program.
 */
export class Identities {
  readonly #source: CredentialSource;
  readonly #known = new Map<string, Identity>();
  readonly #lookups = new Map<string, Lookup>();

  constructor(source: CredentialSource) {
    this.#source = source;
  }

  async find(host: RegistryHost, request: AuthorizedRequest): Promise<Identity> {
    if (request.anonymous === true) return nobody();
    const key = keyOf(host, request);
    for (;;) {
      const known = this.#known.get(key);
      if (known?.stale === false) return known;
      const running = this.#lookups.get(key);
      if (running === undefined) return await this.#start(key, host, request).promise;
      try {
        return await running.promise;
      } catch (error) {
        // Somebody else's change of mind is no failure of ours.
        if (running.signal?.aborted !== true) throw error;
      }
    }
  }

  known(host: RegistryHost, request: AuthorizedRequest): Identity | undefined {
    return this.#known.get(keyOf(host, request));
  }

  #start(key: string, host: RegistryHost, request: AuthorizedRequest): Lookup {
    const { repository, signal } = request;
    const promise = this.#source
      .find({ host: credentialHost(host, request), repository }, { signal })
      .then(([candidate]) => {
        const identity: Identity =
          candidate === undefined ? nobody() : { id: idOf(candidate.credential), candidate, stale: false };
        setBounded(this.#known, key, identity);
        return identity;
      })
      .finally(() => this.#lookups.delete(key));
    const lookup: Lookup = { promise, signal };
    this.#lookups.set(key, lookup);
    return lookup;
  }
}

function nobody(): Identity {
  return { id: "anonymous", candidate: undefined, stale: false };
}

/** The contacted host; the Hub's is known to users by its other name. */
function credentialHost(host: RegistryHost, { domain }: AuthorizedRequest): string {
  return domain === "docker.io" && host.host === "registry-1.docker.io" ? domain : host.host;
}

function keyOf(host: RegistryHost, request: AuthorizedRequest): string {
  return `${credentialHost(host, request)}/${request.repository ?? ""}`;
}

function idOf(credential: Credential): string {
  const parts =
    credential.kind === "basic"
      ? [credential.username, credential.password.reveal()]
      : [credential.token.reveal()];
  return createHash("sha256")
    .update(JSON.stringify([credential.kind, ...parts]))
    .digest("hex");
}
