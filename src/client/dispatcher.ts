/**
 * Brings one request to one host: with its authorization, over the scheme it speaks, and along its redirects.
 *
 * The rules about who may see a credential live here and nowhere else. A credential and a host's own headers are
 * shown only to that host: same scheme, name and port. Everybody a redirect or an upload's location names is a
 * stranger, and if a stranger asks who we are, the answer is at most an anonymous token.
 */
import type { Authorizer } from "./authorizer.ts";
import { matchLocalhost } from "./default-host.ts";
import type { ClientEventListener } from "./events.ts";
import type { RegistryHost } from "./host.ts";
import type { HttpBodySource, HttpResponse, HttpSend, TlsSettings } from "./http.ts";
import { isRedirect, MAX_REDIRECTS, redirectTarget, tooManyRedirects } from "./redirect.ts";
import { sanitizeUrl } from "./sanitize-url.ts";
import { SchemeMemory } from "./scheme-memory.ts";
import { ShownWarnings } from "./warning.ts";

export interface DispatcherOptions {
  readonly send: HttpSend;
  readonly authorizer: Authorizer;
  readonly userAgent: string;
  readonly onEvent: ClientEventListener;
  readonly onWarning: (text: string) => void;
  readonly clock: () => number;
}

export interface Dispatch {
  readonly domain: string;
  readonly repository?: string | undefined;
  readonly scopes: readonly string[];
  readonly method: string;
  /** Below the host's base path, with its query; or an address that an earlier answer gave. */
  readonly target: string | URL;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | HttpBodySource | undefined;
  /** Show no credential, not even to the host itself. */
  readonly anonymous?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #schemes: SchemeMemory;
  readonly #shown = new ShownWarnings();
  readonly #exposed = new Set<string>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#schemes = new SchemeMemory(options.onEvent);
  }

  /** Sends to the host and returns its answer, or that of whom it redirected to, whatever the status. */
  async dispatch(configured: RegistryHost, request: Dispatch): Promise<HttpResponse> {
    let host = this.#schemes.apply(configured);
    for (;;) {
      const url = typeof request.target === "string" ? hostUrl(host, request) : request.target;
      try {
        const response = await this.#follow(host, url, request);
        this.#schemes.confirm(host);
        return response;
      } catch (error) {
        if (!this.#schemes.fallBack(host, error)) throw error;
        host = this.#schemes.apply(configured);
      }
    }
  }

  async #follow(host: RegistryHost, start: URL, request: Dispatch): Promise<HttpResponse> {
    const { authorizer, onEvent } = this.#options;
    const origin = new URL(`${host.scheme}://${host.host}`);
    const asked = new Set<string>();
    let url = start;
    let peer: string | undefined;
    for (let redirects = 0; ;) {
      const home = sameOrigin(url, origin);
      const known = home && request.anonymous !== true;
      const target = home ? host : stranger(host, url);
      const who = {
        domain: request.domain,
        repository: request.repository,
        scopes: request.scopes,
        anonymous: !known,
        signal: request.signal,
      };
      // A stranger is only told something after it asked: signed addresses must not meet a second authorization.
      const authorization =
        known || asked.has(url.host) ? await authorizer.authorize(target, who) : undefined;
      if (authorization !== undefined) this.#warnExposed(target);
      const response = await this.#send(target, url, request, { authorization, home });
      if (home) peer = response.peer;
      if ((response.status === 401 || response.status === 403) && !asked.has(url.host)) {
        asked.add(url.host);
        if (await authorizer.challenged(target, response, { ...who, sentAuthorization: authorization })) {
          await response.discard();
          continue;
        }
      }
      if (!isRedirect(request.method, response.status)) return response;
      if (++redirects > MAX_REDIRECTS) throw tooManyRedirects(start);
      const to = redirectTarget(response, { authorized: authorization !== undefined, origin, peer });
      onEvent({ type: "redirect", from: sanitizeUrl(url), to: sanitizeUrl(to) });
      await response.discard();
      url = to;
    }
  }

  async #send(
    host: RegistryHost,
    url: URL,
    request: Dispatch,
    { authorization, home }: { readonly authorization: string | undefined; readonly home: boolean },
  ): Promise<HttpResponse> {
    const { send, clock, onEvent, onWarning, userAgent } = this.#options;
    const started = clock();
    const response = await send({
      method: request.method,
      url,
      headers: {
        "user-agent": userAgent,
        ...(home && ownHeaders(host)),
        ...request.headers,
        ...(authorization !== undefined && { authorization }),
      },
      body: request.body,
      tls: host.tls,
      dialTimeout: host.dialTimeout,
      signal: request.signal,
    });
    onEvent({
      type: "response",
      method: request.method,
      url: sanitizeUrl(url),
      status: response.status,
      milliseconds: clock() - started,
      authorized: authorization !== undefined,
    });
    if (home) for (const text of this.#shown.takeNew(response)) onWarning(text);
    return response;
  }

  #warnExposed(host: RegistryHost): void {
    if (host.scheme !== "http" || matchLocalhost(host.host) || this.#exposed.has(host.host)) return;
    this.#exposed.add(host.host);
    this.#options.onWarning(`Credentials for "${host.host}" travel over plain HTTP, readable on the way`);
  }
}

/** Whether a credential for one may be shown to the other. */
export function sameOrigin(a: URL, b: URL): boolean {
  return a.protocol === b.protocol && a.host === b.host;
}

/** `ns` tells a mirror whose repository is meant. */
function hostUrl(host: RegistryHost, request: Dispatch): URL {
  const url = new URL(
    `${host.scheme}://${host.host}${`${host.path}/${String(request.target)}`.replaceAll(/\/{2,}/g, "/")}`,
  );
  const { domain } = request;
  const same = host.host === domain || (domain === "docker.io" && host.host === "registry-1.docker.io");
  if (!same) url.searchParams.set("ns", domain);
  return url;
}

function ownHeaders(host: RegistryHost): Record<string, string> {
  return Object.fromEntries(Object.entries(host.headers).map(([name, values]) => [name, values.join(", ")]));
}

/** Somebody we were sent to: trusted to be signed by the same authorities, but not to learn who we are. */
function stranger(host: RegistryHost, url: URL): RegistryHost {
  const tls: TlsSettings = {
    ...(host.tls.ca !== undefined && { ca: host.tls.ca }),
    ...(host.tls.skipVerify !== undefined && { skipVerify: host.tls.skipVerify }),
  };
  return {
    scheme: url.protocol === "https:" ? "https" : "http",
    host: url.host,
    path: "",
    capabilities: new Set(),
    tls,
    headers: {},
    dialTimeout: host.dialTimeout,
    httpFallback: false,
    upstream: false,
  };
}
