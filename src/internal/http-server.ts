/** Puts a handler of requests on a port, over TCP or TLS, and takes it off again without cutting anybody short. */
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface TlsIdentity {
  /** PEM: the certificate, then those that vouch for it. */
  readonly cert: string | Uint8Array;
  /** PEM. */
  readonly key: string | Uint8Array;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly tls?: TlsIdentity | undefined;
  /** A connection on which nothing moves for so long is cut; in milliseconds, two minutes by default. */
  readonly idleTimeout?: number | undefined;
  /** Told when a connection could not be taken. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

export interface HttpServer {
  /** What clients can connect to: `127.0.0.1`, `::1`. */
  readonly address: string;
  readonly port: number;
  /** Shows another certificate to connections from now on. @throws the system's error for one that can't be used */
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
  const { tls } = options;
  const secure =
    tls && createTlsServer({ ...settings, cert: toText(tls.cert), key: toText(tls.key) }, listener);
  const server = secure ?? createServer(settings, listener);
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
    setIdentity: ({ cert, key }) => secure?.setSecureContext({ cert: toText(cert), key: toText(key) }),
    close: (deadline) => (closing ??= closeServer(server, deadline)),
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

function closeServer(server: Server, deadline: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), deadline);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    // A connection that is busy at this moment becomes idle, not closed, when its answer is out.
    const poll = setInterval(() => server.closeIdleConnections(), 20);
    server.once("close", () => clearInterval(poll));
  });
}

function toText(pem: string | Uint8Array): string | Buffer {
  return typeof pem === "string" ? pem : Buffer.from(pem);
}
