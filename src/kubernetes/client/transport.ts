import type { Agent, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { KubernetesClientError, networkError } from "./errors.ts";

/**
 * Carries a request to an API server. `fetch` is one, the handler of an embedded server is one, {@link HttpsTransport}
 * is the one for real servers. The answer's body streams, and the request's signal cuts it at any time.
 *
 * @throws KubernetesClientError when the server couldn't be reached; the signal's reason when that was aborted
 */
export type Transport = (request: Request) => Promise<Response>;

export interface ServerTls {
  /** PEM: the authorities that may vouch for the server; those of the machine by default. */
  readonly certificateAuthority?: string | undefined;
  /** The name expected in the server's certificate, when it isn't the URL's. */
  readonly serverName?: string | undefined;
  /** Trusts whoever answers. */
  readonly insecure?: boolean | undefined;
}

export interface ClientCertificate {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
}

/** What goes with one request besides itself. */
export interface Presented {
  readonly certificate?: ClientCertificate;
  /** Each value is a line of its own. */
  readonly headers?: Readonly<Record<string, readonly string[]>>;
}

export interface HttpsTransportOptions extends ServerTls {
  /** An HTTP proxy that requests go through. */
  readonly proxy?: string | undefined;
}

/** Connections unused for so long are closed, before a load balancer does it under a request. */
const IDLE_MS = 60_000;

/** HTTP/1.1 over connections that are kept and shared. Close it to let go of them. */
export class HttpsTransport {
  readonly #options: HttpsTransportOptions;
  #agent: Promise<Agent> | undefined;
  #certificate: ClientCertificate | undefined;
  #closed = false;

  constructor(options: HttpsTransportOptions = {}) {
    this.#options = options;
  }

  /** Another certificate means other connections; those in use finish what they do. */
  async send(request: Request, presented: Presented = {}): Promise<Response> {
    const { certificate } = presented;
    request.signal.throwIfAborted();
    if (this.#closed) throw new KubernetesClientError("NETWORK_RESET", "Cannot send requests: closed");
    const url = new URL(request.url);
    // Held here: while this request waits, another one may come with another certificate.
    let agent = this.#agent;
    const same =
      certificate?.certificate === this.#certificate?.certificate &&
      certificate?.key === this.#certificate?.key;
    if (agent === undefined || !same) {
      const old = agent;
      this.#certificate = certificate;
      this.#agent = agent = openAgent(url, this.#options, certificate);
      await old?.then(closeIdle, () => {});
    }
    const body = request.body === null ? undefined : Buffer.from(await request.arrayBuffer());
    try {
      const { headers } = presented;
      return await exchange(request, url, { agent: await agent, body, headers });
    } catch (error) {
      request.signal.throwIfAborted();
      throw networkError(error, url.origin);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const agent = await this.#agent?.catch(() => undefined);
    agent?.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function openAgent(
  url: URL,
  options: HttpsTransportOptions,
  certificate: ClientCertificate | undefined,
): Promise<Agent> {
  const settings = {
    keepAlive: true,
    timeout: IDLE_MS,
    ...(options.proxy !== undefined && { proxyEnv: proxyEnvironment(options.proxy) }),
  };
  if (url.protocol === "http:") {
    const { Agent } = await import("node:http");
    return new Agent(settings);
  }
  const { Agent } = await import("node:https");
  return new Agent({
    ...settings,
    ...(options.certificateAuthority !== undefined && { ca: options.certificateAuthority }),
    ...(options.serverName !== undefined && { servername: options.serverName }),
    ...(options.insecure === true && { rejectUnauthorized: false }),
    ...(certificate && { cert: certificate.certificate, key: certificate.key }),
  });
}

function proxyEnvironment(proxy: string): { HTTP_PROXY: string; HTTPS_PROXY: string } {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  // Agents of older versions would leave the proxy out without a word.
  if (major === 24 && minor < 5) {
    const text = `Cannot use proxy-url: needs Node.js 24.5 or newer, this is ${process.versions.node}`;
    throw new KubernetesClientError("CONFIG_INVALID", text);
  }
  return { HTTP_PROXY: proxy, HTTPS_PROXY: proxy };
}

/** An agent that others may still be reading through: only what nobody uses is closed. */
function closeIdle(agent: Agent): void {
  for (const sockets of Object.values(agent.freeSockets))
    for (const socket of sockets ?? []) socket.destroy();
}

async function exchange(
  request: Request,
  url: URL,
  options: {
    readonly agent: Agent;
    readonly body: Buffer | undefined;
    readonly headers: Presented["headers"];
  },
): Promise<Response> {
  const http = url.protocol === "http:" ? await import("node:http") : await import("node:https");
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const { signal, method } = request;
  const headers: OutgoingHttpHeaders = Object.fromEntries(request.headers);
  for (const [name, values] of Object.entries(options.headers ?? {})) headers[name] = [...values];
  if (options.body !== undefined) headers["content-length"] = String(options.body.length);
  const outgoing = http.request(url, { method, headers, agent: options.agent });
  const stop = (): void => void outgoing.destroy(signal.reason as Error);
  signal.addEventListener("abort", stop, { once: true });
  const done = (): void => signal.removeEventListener("abort", stop);
  outgoing.on("error", (error) => {
    done();
    reject(error);
  });
  outgoing.on("response", (incoming) => {
    incoming.once("close", done);
    resolve(toResponse(incoming, signal, url.origin));
  });
  outgoing.end(options.body);
  return promise;
}

const WITHOUT_BODY: ReadonlySet<number> = new Set([101, 204, 205, 304]);

function toResponse(incoming: IncomingMessage, signal: AbortSignal, origin: string): Response {
  const headers = new Headers();
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const status = incoming.statusCode ?? 0;
  if (WITHOUT_BODY.has(status)) {
    incoming.resume();
    return new Response(null, { status, headers });
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        incoming.on("data", (chunk: Uint8Array) => {
          controller.enqueue(new Uint8Array(chunk));
          if ((controller.desiredSize ?? 0) <= 0) incoming.pause();
        });
        incoming.once("end", () => controller.close());
        incoming.once("error", (error) => {
          controller.error(signal.aborted ? signal.reason : networkError(error, origin));
        });
      },
      pull: () => void incoming.resume(),
      cancel: () => void incoming.destroy(),
    },
    { highWaterMark: 1024 * 1024, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  return new Response(body, { status, headers });
}
