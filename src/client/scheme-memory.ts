import type { ClientEventListener } from "./events.ts";
import { ClientError } from "./errors.ts";
import type { RegistryHost } from "./host.ts";

/**
 * Which hosts turned out to speak plain HTTP, for the life of a client. Only hosts whose configuration allows it are
 * ever asked without TLS, and a certificate that doesn't check out never counts.
 */
export class SchemeMemory {
  readonly #schemes = new Map<string, "http" | "https">();
  readonly #onEvent: ClientEventListener;

  constructor(onEvent: ClientEventListener) {
    this.#onEvent = onEvent;
  }

  /** The host as it is to be contacted. */
  apply(host: RegistryHost): RegistryHost {
    const known = host.httpFallback ? this.#schemes.get(host.host) : undefined;
    return known === undefined ? host : { ...host, scheme: known, httpFallback: false };
  }

  confirm(host: RegistryHost): void {
    if (host.httpFallback) this.#schemes.set(host.host, host.scheme);
  }

  /** Whether the failure means that the host should be asked over http from now on. */
  fallBack(host: RegistryHost, error: unknown): boolean {
    if (!host.httpFallback || host.scheme !== "https" || !(error instanceof ClientError)) return false;
    // A refused connection says something about the scheme only when the port follows from it.
    const unreachable = error.code === "NETWORK_REFUSED" || error.code === "NETWORK_TIMEOUT";
    if (error.code !== "TLS_NOT_SPOKEN" && !(unreachable && !/:\d+$/.test(host.host))) return false;
    this.#schemes.set(host.host, "http");
    this.#onEvent({ type: "plain-http", host: host.host });
    return true;
  }
}
