import type { Connection, ConnectionLimits } from "./connection.ts";
import { dial, proxyAuthorization } from "./dial.ts";
import { ClientError } from "./errors.ts";
import type { HttpRequest, HttpResponse, HttpSend } from "./http.ts";
import { isInterruption } from "./network-error.ts";
import { TlsContexts, tlsKey } from "./tls-context.ts";

export interface SocketTransportOptions {
  /** The proxy for this address; none by default. */
  readonly proxy?: ((url: URL) => URL | undefined) | undefined;
  /** Milliseconds without a byte before an answer is given up; 60 s by default. */
  readonly idleTimeout?: number | undefined;
  /**
   * Milliseconds without a byte in the middle of a body before its connection is given up: a reader of blobs goes on
   * over another one. 20 s by default, or {@link idleTimeout} where that is less.
   */
  readonly bodyTimeout?: number | undefined;
  /** The same after a request with a body; 5 min by default. */
  readonly uploadTimeout?: number | undefined;
  /** Bytes read from a socket at once; 512 KiB by default. */
  readonly bufferSize?: number | undefined;
}

const DIAL_TIMEOUT = 30_000;
const PARKED_TIMEOUT = 30_000;
const PARKED_LIMIT = 10;

/** Sends requests over sockets of its own and keeps them for the next ones; close it with `await using`. */
export class SocketTransport implements AsyncDisposable {
  readonly #proxy: (url: URL) => URL | undefined;
  readonly #limits: ConnectionLimits;
  readonly #contexts = new TlsContexts();
  readonly #parked = new Map<string, Connection[]>();
  readonly #busy = new Set<Connection>();
  #closed = false;

  constructor(options: SocketTransportOptions = {}) {
    this.#proxy = options.proxy ?? (() => undefined);
    const idleTimeout = options.idleTimeout ?? 60_000;
    this.#limits = {
      idleTimeout,
      bodyTimeout: options.bodyTimeout ?? Math.min(idleTimeout, 20_000),
      uploadTimeout: options.uploadTimeout ?? 300_000,
      bufferSize: options.bufferSize ?? 512 * 1024,
    };
  }

  readonly send: HttpSend = async (request) => {
    request.signal?.throwIfAborted();
    const proxy = this.#proxy(request.url);
    const secure = request.url.protocol === "https:";
    const key = `${request.url.protocol}//${request.url.host} ${proxy?.href ?? ""} ${secure ? tlsKey(request.tls) : ""}`;
    const head = formatHead(request, secure ? undefined : proxy);
    for (;;) {
      const connection = this.#take(key) ?? (await this.#dial(key, request, proxy));
      const { used } = connection;
      try {
        return await this.#sendOver(connection, request, head);
      } catch (error) {
        // Whatever the caller's reason looks like, it is no broken connection.
        request.signal?.throwIfAborted();
        // The server may close a kept connection just as we write; nobody has seen the request then.
        const stale = used && !connection.answered && isInterruption(error);
        if (!stale || !isRepeatable(request)) throw error;
      }
    }
  };

  /** Ends what is under way and closes every socket. */
  async close(): Promise<void> {
    this.#closed = true;
    const closing = new ClientError("NETWORK_RESET", "Cannot go on with the request: the client was closed");
    // Copies, because every connection takes itself out of these as it ends.
    for (const connection of [...this.#busy, ...[...this.#parked.values()].flat()])
      connection.destroy(closing);
    this.#parked.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #sendOver(connection: Connection, request: HttpRequest, head: string): Promise<HttpResponse> {
    this.#busy.add(connection);
    return connection.send(request, head);
  }

  #take(key: string): Connection | undefined {
    const connections = this.#parked.get(key);
    for (;;) {
      const connection = connections?.pop();
      if (connection === undefined || !connection.destroyed) return connection;
    }
  }

  async #dial(key: string, request: HttpRequest, proxy: URL | undefined): Promise<Connection> {
    if (this.#closed) throw new ClientError("NETWORK_RESET", "Cannot send the request: the client is closed");
    const connection = await dial(
      {
        url: request.url,
        proxy,
        tls: request.tls,
        timeout: request.dialTimeout ?? DIAL_TIMEOUT,
        signal: request.signal,
      },
      { contexts: this.#contexts, limits: this.#limits },
    );
    connection.onFree = (reusable) => this.#free(key, connection, reusable);
    return connection;
  }

  #free(key: string, connection: Connection, reusable: boolean): void {
    this.#busy.delete(connection);
    const parked = this.#parked.get(key) ?? [];
    if (!reusable) {
      const index = parked.indexOf(connection);
      if (index >= 0) parked.splice(index, 1);
    } else if (this.#closed || parked.length >= PARKED_LIMIT) {
      connection.close();
    } else {
      connection.park(PARKED_TIMEOUT);
      parked.push(connection);
      this.#parked.set(key, parked);
    }
  }
}

/**
 * What a cut request may have done must do no harm twice. A streamed body never goes twice: its sender first asks how
 * much arrived.
 */
function isRepeatable({ method, body }: HttpRequest): boolean {
  if (method === "PATCH" || (body !== undefined && !(body instanceof Uint8Array))) return false;
  return method !== "POST" || body === undefined || body.length === 0;
}

// oxlint-disable-next-line no-control-regex -- a line break in a value would be a second header, or a second request
const UNSAFE = /[^\t\x20-\x7e\x80-\xff]/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

function formatHead(request: HttpRequest, proxy: URL | undefined): string {
  const { url, body, method } = request;
  const target =
    proxy === undefined ? `${url.pathname}${url.search}` : `http://${url.host}${url.pathname}${url.search}`;
  let head = `${method} ${target} HTTP/1.1\r\nhost: ${url.host}\r\n`;
  for (const [name, value] of Object.entries(request.headers)) {
    if (!NAME.test(name) || UNSAFE.test(value))
      throw new TypeError(`Bad request header ${JSON.stringify(name)}`);
    head += `${name}: ${value}\r\n`;
  }
  const authorization = proxy === undefined ? undefined : proxyAuthorization(proxy);
  if (authorization !== undefined) head += `proxy-authorization: ${authorization}\r\n`;
  if (body !== undefined || method === "POST" || method === "PUT" || method === "PATCH") {
    const length = body === undefined ? 0 : body.length;
    head += length === undefined ? "transfer-encoding: chunked\r\n" : `content-length: ${length}\r\n`;
  }
  return `${head}\r\n`;
}
