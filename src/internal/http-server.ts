/** Puts a handler of requests on a port, over TCP or TLS, and takes it off again without cutting anybody short. */
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { createSecureServer, type TlsIdentity } from "./secure-server.ts";

export type { TlsIdentity } from "./secure-server.ts";

export interface HttpServerOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly tls?: TlsIdentity | undefined;
  /** With `tls`: speak HTTP/2 with clients that offer it; the listener sees both kinds of requests alike. */
  readonly http2?: boolean | undefined;
  /** A connection on which nothing moves for so long is cut; in milliseconds, two minutes by default. */
  readonly idleTimeout?: number | undefined;
  /** Told when a connection could not be taken. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

export interface HttpServer {
  /** What clients can connect to: `127.0.0.1`, `::1`. */
  readonly address: string;
  readonly port: number;
  /**
   * Shows another certificate to connections from now on. Whether clients need one stays as it was.
   *
   * @throws the system's error for one that can't be used; the one of before stays
   */
  setIdentity(tls: TlsIdentity): void;
  /**
   * Takes no more connections, lets requests under way finish, and cuts those that take longer than `deadline`
   * milliseconds. Harmless when called twice.
   */
  close(deadline: number): Promise<void>;
}

/** Headers of real requests hold tokens of several KiB. */
const MAX_HEADER_SIZE = 64 * 1024;
const HEADERS_TIMEOUT = 60_000;
/** Longer than load balancers keep idle connections, so that it is never us who closes one under a request. */
const KEEP_ALIVE_TIMEOUT = 75_000;

/**
 * Listens. A request that waits with its body for `100 Continue` reaches the listener like any other; it has to be
 * told by `response.writeContinue()`.
 *
 * @throws the system's error, with its `code`: `EADDRINUSE`, `EACCES`, …
 */
export async function openHttpServer(
  listener: RequestListener,
  options: HttpServerOptions,
): Promise<HttpServer> {
  const settings = {
    maxHeaderSize: MAX_HEADER_SIZE,
    headersTimeout: HEADERS_TIMEOUT,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
    // An upload may take hours; what bounds it is that something has to move.
    requestTimeout: 0,
    noDelay: true,
  };
  const { tls, http2 = false } = options;
  const secure = tls && createSecureServer(settings, { tls, http2 }, listener);
  const server = secure?.server ?? createServer(settings, listener);
  server.setTimeout(options.idleTimeout ?? 120_000);
  server.on("checkContinue", listener);
  await listen(server, options);
  // No file left for another connection, say: that one is lost, the server is not.
  server.on("error", options.onError ?? ((): void => {}));
  const { address, port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  return {
    address,
    port,
    setIdentity: (identity) => secure?.setIdentity(identity),
    close: (deadline) => {
      return (closing ??= closeServer(server, deadline, () =>
        secure === undefined ? server.closeAllConnections() : secure.cut(),
      ));
    },
  };
}

function listen(server: Server, options: HttpServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: options.host, port: options.port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function closeServer(server: Server, deadline: number, cut: () => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(cut, deadline);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    // A client that has its next request ready hears with the answer that it is to ask elsewhere.
    for (const event of ["request", "checkContinue"]) server.prependListener(event, sayFarewell);
    // A connection that is busy at this moment becomes idle, not closed, when its answer is out.
    const poll = setInterval(() => server.closeIdleConnections(), 20);
    server.once("close", () => clearInterval(poll));
  });
}

/** Answers of HTTP/2 have no such thing: there the whole session was told. */
function sayFarewell(_: unknown, response: ServerResponse): void {
  if (!("stream" in response)) response.shouldKeepAlive = false;
}
