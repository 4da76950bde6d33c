/** Opens connections: straight or through a proxy, in the clear or over TLS. */
import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from "node:net";
import type { SecureContext, TLSSocket } from "node:tls";

import { Connection, type ConnectionLimits } from "./connection.ts";
import { ClientError } from "./errors.ts";
import { connectionTimeout, networkError } from "./network-error.ts";
import { parseResponseHead } from "./response-head.ts";
import type { TlsContexts } from "./tls-context.ts";
import type { TlsSettings } from "./http.ts";

/** Milliseconds a server may take for the handshake once it is connected. */
const HANDSHAKE_TIMEOUT = 10_000;

export interface DialTarget {
  /** Where the request goes. */
  readonly url: URL;
  readonly proxy: URL | undefined;
  readonly tls: TlsSettings | undefined;
  /** Milliseconds for everything until the first request can be written. */
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

export interface DialOptions {
  readonly contexts: TlsContexts;
  readonly limits: ConnectionLimits;
}

/** @throws ClientError with a network code */
export async function dial(target: DialTarget, options: DialOptions): Promise<Connection> {
  try {
    return await dialOnce(target, options, false);
  } catch (error) {
    const unknown = error instanceof ClientError && error.code === "TLS_UNKNOWN_AUTHORITY";
    if (!unknown) throw error;
    return dialOnce(target, options, true);
  }
}

async function dialOnce(target: DialTarget, options: DialOptions, system: boolean): Promise<Connection> {
  const { url, proxy } = target;
  const secure = url.protocol === "https:";
  const connection = new Connection(url.host, options.limits);
  const onread = reader(connection);
  const attempt = new Attempt(target);
  try {
    if (proxy !== undefined && secure) {
      const tunnel = await openTunnel(target, options, attempt);
      const context = await options.contexts.get(target.tls, { system });
      const socket = await attempt.secure(await tlsOptions(target, context), tunnel);
      attachStreaming(connection, socket);
      return connection;
    }
    const first = proxy ?? url;
    let socket: Socket;
    if (first.protocol === "https:") {
      const settings = proxy === undefined ? target.tls : undefined;
      const context = await options.contexts.get(settings, { system });
      socket = await attempt.secure({
        ...(await tlsOptions({ ...target, url: first, tls: settings }, context)),
        onread,
      });
    } else {
      socket = await attempt.plain(first, onread);
    }
    connection.attach(socket);
    return connection;
  } catch (error) {
    throw attempt.explain(error);
  } finally {
    attempt.end();
  }
}

function reader(connection: Connection): OnReadOpts {
  return {
    buffer: connection.nextBuffer,
    callback: (length, buffer) =>
      connection.receive(length === buffer.length ? buffer : buffer.subarray(0, length)),
  };
}

/** Sockets that run over another one deliver buffers of their own. */
function attachStreaming(connection: Connection, socket: Socket): void {
  connection.attach(socket);
  socket.on("data", (chunk: Buffer) => {
    if (!connection.receive(chunk)) socket.pause();
  });
}

interface SecureOptions {
  readonly host: string;
  readonly port: number;
  readonly servername?: string;
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: boolean;
  readonly onread?: OnReadOpts;
}

async function tlsOptions(target: DialTarget, secureContext: SecureContext): Promise<SecureOptions> {
  const host = hostOf(target.url);
  return {
    host,
    port: portOf(target.url),
    ...(isIP(host) === 0 && { servername: host }),
    secureContext,
    rejectUnauthorized: target.tls?.skipVerify !== true,
  };
}

/** Asks the proxy for a line to the server; what comes after its answer is the server's. */
async function openTunnel(target: DialTarget, options: DialOptions, attempt: Attempt): Promise<Socket> {
  const { url } = target;
  const proxy = target.proxy as URL;
  const context =
    proxy.protocol === "https:" ? await options.contexts.get(undefined, { system: false }) : undefined;
  const socket =
    context === undefined
      ? await attempt.plain(proxy)
      : await attempt.secure(await tlsOptions({ ...target, url: proxy, tls: undefined }, context));
  const authority = `${url.hostname}:${portOf(url)}`;
  const credentials = proxyAuthorization(proxy);
  const authorization = credentials === undefined ? "" : `proxy-authorization: ${credentials}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${authorization}\r\n`, "latin1");
  const status = await attempt.readTunnelAnswer(socket);
  if (status >= 200 && status < 300) return socket;
  throw new ClientError(
    "PROXY_FAILED",
    `Cannot reach ${quote(url.host)}: proxy ${quote(proxy.host)} answered ${status}`,
    { status },
  );
}

/** `Basic …` from the user part of the proxy's address. */
export function proxyAuthorization(proxy: URL): string | undefined {
  if (proxy.username === "" && proxy.password === "") return undefined;
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

/** One way to a server, with one deadline and one signal over all its steps. */
class Attempt {
  readonly #target: DialTarget;
  readonly #timer: NodeJS.Timeout;
  #handshake: NodeJS.Timeout | undefined;
  #socket: Socket | undefined;
  #proxyStep: boolean;
  #failure: Error | undefined;

  constructor(target: DialTarget) {
    this.#target = target;
    this.#proxyStep = target.proxy !== undefined;
    target.signal?.throwIfAborted();
    target.signal?.addEventListener("abort", this.#aborted);
    this.#timer = setTimeout(() => this.#fail(connectionTimeout(target.url.host)), target.timeout);
  }

  plain(to: URL, onread?: OnReadOpts): Promise<Socket> {
    const socket = connectTcp({
      host: hostOf(to),
      port: portOf(to),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      ...(onread !== undefined && { onread }),
    });
    return this.#ready(socket, "connect");
  }

  async secure(options: SecureOptions, over?: Socket): Promise<TLSSocket> {
    const tls = await import("node:tls");
    if (over !== undefined) this.#proxyStep = false;
    const socket = tls.connect({ ...options, ...(over !== undefined && { socket: over }) });
    socket.setNoDelay(true);
    const shakeHands = (): void => {
      // A server that takes the connection but never says hello doesn't speak TLS.
      const silent = new ClientError(
        "TLS_NOT_SPOKEN",
        `Cannot reach ${quote(this.#target.url.host)}: no TLS handshake in time`,
      );
      this.#handshake = setTimeout(() => this.#fail(silent), HANDSHAKE_TIMEOUT);
    };
    if (over === undefined) socket.once("connect", shakeHands);
    else shakeHands();
    return this.#ready(socket, "secureConnect");
  }

  async readTunnelAnswer(socket: Socket): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    let text = "";
    const onData = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end < 0 && text.length <= 16_384) return;
      try {
        // The server speaks only after our hello, so nothing may follow the proxy's answer.
        if (end !== text.length - 4) throw new Error("The proxy sent more than an answer");
        resolve(parseResponseHead(text.slice(0, end)).status);
      } catch (error) {
        reject(error);
      }
    };
    const onEnd = (): void => reject(new Error("The proxy closed the connection"));
    socket.on("data", onData).once("error", reject).once("close", onEnd);
    try {
      return await promise;
    } finally {
      socket.off("data", onData).off("error", reject).off("close", onEnd);
      socket.pause();
    }
  }

  /** What a step threw, in the words of the whole attempt. */
  explain(error: unknown): Error {
    this.#socket?.destroy();
    if (this.#failure !== undefined) return this.#failure;
    const { proxy, url, signal } = this.#target;
    if (signal?.aborted === true) return signal.reason as Error;
    if (!this.#proxyStep || proxy === undefined || error instanceof ClientError)
      return networkError(error, url.host);
    const { message } = networkError(error, proxy.host);
    return new ClientError("PROXY_FAILED", message.replace("Cannot reach", "Cannot reach proxy"), {
      cause: error,
    });
  }

  end(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#handshake);
    this.#target.signal?.removeEventListener("abort", this.#aborted);
  }

  async #ready<S extends Socket>(socket: S, event: "connect" | "secureConnect"): Promise<S> {
    this.#socket = socket;
    // One listener that stays, so that an error nobody waits for any more can't end the process.
    socket.on("error", () => {});
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onClose = (): void => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" }));
    socket.once(event, resolve).once("error", reject).once("close", onClose);
    try {
      await promise;
    } finally {
      socket.off(event, resolve).off("close", onClose);
      if (!socket.destroyed) socket.off("error", reject);
    }
    return socket;
  }

  readonly #aborted = (): void => {
    const reason: unknown = this.#target.signal?.reason;
    this.#fail(reason instanceof Error ? reason : new Error("Aborted", { cause: reason }));
  };

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket?.destroy(error);
  }
}

/** Without the brackets that URLs put around IPv6 addresses. */
function hostOf(url: URL): string {
  return url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
}

export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
