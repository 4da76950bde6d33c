/** Servers over TLS: of HTTP/1.1 alone, or of HTTP/2 for clients that offer it and HTTP/1.1 for all others. */
import type { RequestListener, Server } from "node:http";
import type { Http2Session } from "node:http2";
import { createServer } from "node:https";
import type { Socket } from "node:net";

export interface TlsIdentity {
  /** PEM: the certificate, then those that vouch for it. */
  readonly cert: string | Uint8Array;
  /** PEM. */
  readonly key: string | Uint8Array;
  /** PEM: who has to vouch for clients, which then need a certificate; without it nobody is asked for one. */
  readonly clientCa?: string | Uint8Array | undefined;
}

export interface SecureServer {
  readonly server: Server;
  setIdentity(tls: TlsIdentity): void;
  /** Cuts every connection. */
  cut(): void;
}

/** Layers go over one connection: the protocol's own 64 KiB would wait for the other side all the time. */
const WINDOW = 8 * 1024 * 1024;
const MAX_STREAMS = 250;

/** @throws the system's error for a certificate that can't be used */
export function createSecureServer(
  settings: object,
  options: { readonly tls: TlsIdentity; readonly http2: boolean },
  listener: RequestListener,
): SecureServer {
  const context = contextOf(options.tls);
  if (!options.http2) {
    const server = createServer({ ...settings, ...context }, listener);
    return {
      server,
      setIdentity: (tls) => server.setSecureContext(contextOf(tls)),
      cut: () => server.closeAllConnections(),
    };
  }
  // Loaded for those who ask for it.
  const http2 = process.getBuiltinModule("node:http2");
  const server = http2.createSecureServer({
    ...settings,
    ...context,
    allowHTTP1: true,
    settings: { initialWindowSize: WINDOW, maxConcurrentStreams: MAX_STREAMS },
  });
  // Its requests and responses have the shape of those of HTTP/1.1.
  server.on("request", listener as unknown as (request: object, response: object) => void);
  server.on("session", (session) => session.setLocalWindowSize(WINDOW));
  // A client that goes away in the middle is no failure of ours.
  server.on("sessionError", () => {});
  const sessions = collect<Http2Session>((add) => server.on("session", add));
  const sockets = collect<Socket>((add) => server.on("secureConnection", add));
  return {
    server: server as unknown as Server,
    setIdentity: (tls) => server.setSecureContext(contextOf(tls)),
    cut: () => {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
    },
  };
}

interface Closes {
  once(event: "close", listener: () => void): unknown;
}

function collect<Item extends Closes>(hear: (add: (item: Item) => void) => unknown): ReadonlySet<Item> {
  const items = new Set<Item>();
  hear((item) => {
    items.add(item);
    item.once("close", () => items.delete(item));
  });
  return items;
}

function contextOf({ cert, key, clientCa }: TlsIdentity): object {
  return {
    cert: toText(cert),
    key: toText(key),
    ...(clientCa !== undefined && { ca: toText(clientCa), requestCert: true, rejectUnauthorized: true }),
  };
}

function toText(pem: string | Uint8Array): string | Buffer {
  return typeof pem === "string" ? pem : Buffer.from(pem);
}
