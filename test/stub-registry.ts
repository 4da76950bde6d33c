/**
 * A registry whose every answer a test decides: for the failures a real one won't produce on demand. It listens on
 * a loopback port of its own and keeps what it was asked.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface StubRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** How many requests of this method and path came before. */
  readonly earlier: number;
}

export interface StubReply {
  status?: number;
  headers?: Record<string, string | readonly string[]>;
  body?: Uint8Array | string;
  /** Sends only so many bytes of the body, then cuts the connection. */
  cutAfter?: number;
  /** Cuts the connection instead of answering. */
  cut?: boolean;
  /** These bytes instead of an HTTP answer. */
  raw?: string;
  /** Answers nothing and leaves the connection open. */
  silent?: boolean;
}

export type StubHandler = (request: StubRequest) => StubReply | Promise<StubReply>;

export class StubRegistry implements AsyncDisposable {
  readonly requests: StubRequest[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections accepted so far. */
  connections = 0;

  private constructor(handler: StubHandler) {
    // By default it closes idle connections after five seconds, maybe just as a busy machine sends the next request.
    this.#server = createServer({ maxHeaderSize: 128 * 1024, keepAliveTimeout: 0 }, (request, response) => {
      void this.#answer(handler, request, response);
    });
    this.#server.on("connection", (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => {});
    });
  }

  static async start(handler: StubHandler): Promise<StubRegistry> {
    const stub = new StubRegistry(handler);
    await new Promise<void>((resolve) => stub.#server.listen(0, "127.0.0.1", resolve));
    return stub;
  }

  /** `127.0.0.1:port` */
  get domain(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** What was asked, as `METHOD /path`. */
  get log(): readonly string[] {
    return this.requests.map(({ method, url }) => `${method} ${url}`);
  }

  /** Closes idle connections as a server does that was restarted. */
  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cutConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(handler: StubHandler, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    try {
      for await (const part of incoming as AsyncIterable<Buffer>) parts.push(part);
    } catch {
      return;
    }
    const { method = "", url = "" } = incoming;
    const earlier = this.requests.filter((other) => other.method === method && other.url === url).length;
    const headers = incoming.headers as Record<string, string | undefined>;
    const request = { method, url, headers, body: Buffer.concat(parts), earlier };
    this.requests.push(request);
    reply(incoming.socket, response, { head: method === "HEAD", ...(await handler(request)) });
  }
}

function reply(
  socket: Socket,
  response: ServerResponse,
  answer: StubReply & { readonly head: boolean },
): void {
  if (answer.silent === true) return;
  if (answer.cut === true) {
    socket.destroy();
    return;
  }
  if (answer.raw !== undefined) {
    socket.end(answer.raw, "latin1");
    return;
  }
  const body = Buffer.from(answer.body ?? "");
  response.writeHead(answer.status ?? 200, {
    "content-length": String(body.length),
    ...answer.headers,
  } as Record<string, string>);
  if (answer.head) response.end();
  else if (answer.cutAfter === undefined) response.end(body);
  else response.write(body.subarray(0, answer.cutAfter), () => setImmediate(() => socket.destroy()));
}
