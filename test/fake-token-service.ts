/** A registry with a token service, in memory: what tests of authorization talk to instead of sockets. */
import type { RegistryHost } from "../src/client/host.ts";
import type { HttpRequest, HttpResponse, HttpSend } from "../src/client/http.ts";

export interface FakeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | object;
}

/** An answer as a transport would deliver it. */
export function fakeResponse(url: URL | string, answer: FakeAnswer): HttpResponse {
  const { status, headers = {}, body = "" } = answer;
  const bytes = new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  const values = (name: string): readonly string[] => [headers[name] ?? []].flat();
  return {
    status,
    url: new URL(url),
    header: (name) => values(name)[0],
    headers: values,
    pump: async (consume) => {
      // In pieces, so that nobody relies on a body being one chunk.
      for (let at = 0; at < bytes.length; at += 1000) await consume(bytes.subarray(at, at + 1000));
    },
    bytes: (limit) =>
      bytes.length <= limit ? Promise.resolve(bytes) : Promise.reject(new RangeError("too long")),
    discard: () => Promise.resolve(),
  };
}

/** A 401 with challenges. */
export function unauthorized(url: URL | string, ...challenges: readonly string[]): HttpResponse {
  return fakeResponse(url, { status: 401, headers: { "www-authenticate": challenges } });
}

/** Answers by what `handle` says and keeps every request for questions afterwards. */
export class FakeTokenService {
  readonly requests: HttpRequest[] = [];
  readonly #handle: (request: HttpRequest, nth: number) => FakeAnswer | Promise<FakeAnswer>;

  constructor(handle: (request: HttpRequest, nth: number) => FakeAnswer | Promise<FakeAnswer>) {
    this.#handle = handle;
  }

  readonly send: HttpSend = async (request) => {
    request.signal?.throwIfAborted();
    const nth = this.requests.push(request);
    return fakeResponse(request.url, await this.#handle(request, nth));
  };

  /** The form of a POST. */
  form(index: number): Readonly<Record<string, string>> {
    const body = this.requests[index]?.body;
    return Object.fromEntries(
      new URLSearchParams(body instanceof Uint8Array ? new TextDecoder().decode(body) : ""),
    );
  }

  get log(): readonly string[] {
    return this.requests.map(({ method, url }) => `${method} ${url.href}`);
  }
}

export function fakeHost(host: string, changes: Partial<RegistryHost> = {}): RegistryHost {
  return {
    scheme: "https",
    host,
    path: "/v2",
    capabilities: new Set(["pull", "resolve", "push", "referrers"]),
    tls: {},
    headers: {},
    httpFallback: false,
    upstream: true,
    ...changes,
  };
}
