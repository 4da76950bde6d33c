import type { ByteConsumer } from "../oci/index.ts";
import type { HttpBodySource, HttpRequest, HttpResponse, HttpSend } from "./http.ts";
import { networkError } from "./network-error.ts";
import { collect } from "./socket-response.ts";

/** What a registry in memory answers to. */
export type Fetch = (request: Request) => Promise<Response>;

/** Sends requests to a `fetch` function, such as our own registry's, without a socket. */
export function fetchTransport(fetch: Fetch): HttpSend {
  return async (request) => {
    request.signal?.throwIfAborted();
    const { init, sent } = openRequest(request);
    try {
      const asked = new Request(request.url, init);
      return new FetchResponse(request.url, asked, await fetch(asked));
    } catch (error) {
      request.signal?.throwIfAborted();
      const failure = sent.failure as { readonly error: unknown } | undefined;
      throw failure === undefined ? networkError(error, request.url.host) : failure.error;
    }
  };
}

interface Sent {
  /** Why the body's source gave up, if it did. */
  failure: { readonly error: unknown } | undefined;
}

function openRequest(request: HttpRequest): { readonly init: RequestInit; readonly sent: Sent } {
  const sent: Sent = { failure: undefined };
  const headers: Record<string, string> = { ...request.headers };
  const init = {
    method: request.method,
    headers,
    redirect: "manual" as const,
    ...(request.signal !== undefined && { signal: request.signal }),
  };
  const { body } = request;
  if (body === undefined) return { init, sent };
  if (body.length !== undefined) headers["content-length"] = String(body.length);
  if (body instanceof Uint8Array) return { init: { ...init, body: Buffer.from(body) }, sent };
  return { init: { ...init, body: streamOf(body, sent), duplex: "half" } as RequestInit, sent };
}

function streamOf(body: HttpBodySource, sent: Sent): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const write = async (): Promise<void> => {
    try {
      // The reader on the other side keeps chunks; ours are only lent.
      await body.pump((chunk) => writer.write(Uint8Array.from(chunk)));
      await writer.close();
    } catch (error) {
      sent.failure = { error };
      await writer.abort(error);
    }
  };
  write().catch(() => {});
  return readable;
}

class FetchResponse implements HttpResponse {
  readonly status: number;
  readonly url: URL;
  readonly #response: Response;
  /** Its signal follows ours for as long as somebody holds it, and whoever answers listens to that one. */
  readonly #asked: Request;

  constructor(url: URL, asked: Request, response: Response) {
    this.status = response.status;
    this.url = url;
    this.#response = response;
    this.#asked = asked;
  }

  header(name: string): string | undefined {
    return this.#response.headers.get(name) ?? undefined;
  }

  headers(name: string): readonly string[] {
    const value = this.#response.headers.get(name);
    return value === null ? [] : [value];
  }

  async pump(consume: ByteConsumer): Promise<void> {
    const reader = this.#response.body?.getReader();
    if (reader === undefined) return;
    try {
      for (;;) {
        this.#asked.signal.throwIfAborted();
        const { done, value } = await reader.read().catch((error: unknown) => {
          throw networkError(error, this.url.host);
        });
        if (done) return;
        await consume(value);
      }
    } catch (error) {
      await reader.cancel(error).catch(() => {});
      this.#asked.signal.throwIfAborted();
      throw error;
    }
  }

  bytes(limit: number): Promise<Uint8Array> {
    return collect((consume) => this.pump(consume), limit);
  }

  async discard(): Promise<void> {
    if (this.#response.body?.locked === false) await this.#response.body.cancel().catch(() => {});
  }
}
