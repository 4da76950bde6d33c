import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Http2ServerRequest } from "node:http2";

import type { ByteConsumer } from "../oci/index.ts";
import type { Registry } from "./registry.ts";
import { RequestAborted, type RegistryRequest, type RegistryResponse } from "./request.ts";
import type { RequestBody, ResponseStream } from "./request.ts";

/** Of a body nobody wants, so much is read to keep the connection; beyond it the connection is closed. */
const MAX_DISCARD = 64 * 1024;
/** Before closing, so much more is read, so that the answer isn't lost to a reset while its reader still writes. */
const MAX_LINGER = 4 * 1024 * 1024;
const LINGER_TIME = 2_000;

/** One line for a log of requests. */
export interface Answered {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly status: number;
}

export interface NodeHttpOptions {
  /** Told of failures while sending that are not the client's. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** Told of every answer as it begins to be sent. */
  readonly onAnswer?: ((answered: Answered) => void) | undefined;
}

/** Lets a registry answer on a server of `node:http` or `node:https`. */
export function listenWith(
  registry: Pick<Registry, "handle">,
  options: NodeHttpOptions = {},
): RequestListener {
  const { onAnswer, onFailure } = options;
  return (incoming, outgoing) => {
    const request = new NodeRequest(incoming, outgoing);
    const response = registry.handle(request);
    if (onAnswer !== undefined) void report(request, response, onAnswer);
    if (!(response instanceof Promise) && request.isDone && !(response.body && "pump" in response.body)) {
      sendWhole(outgoing, response);
      return;
    }
    send(request, outgoing, response).catch((error: unknown) => {
      outgoing.destroy();
      if (!(error instanceof RequestAborted)) onFailure?.(error);
    });
  };
}

async function report(
  request: NodeRequest,
  response: RegistryResponse | Promise<RegistryResponse>,
  onAnswer: (answered: Answered) => void,
): Promise<void> {
  const { status } = await response;
  onAnswer({ method: request.method, target: request.target, status });
}

/** Requests of HTTP/2 have the shape of those of HTTP/1.1, and these, too. */
type MaybeHttp2 = IncomingMessage & Partial<Pick<Http2ServerRequest, "stream" | "authority">>;

class NodeRequest implements RegistryRequest, RequestBody {
  readonly method: string;
  readonly target: string;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  #continued = false;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse) {
    this.method = incoming.method ?? "GET";
    this.target = originForm(incoming.url ?? "/");
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  get body(): RequestBody {
    return this;
  }

  get address(): string | undefined {
    return this.#incoming.socket.remoteAddress;
  }

  get protocol(): string {
    return `HTTP/${this.#incoming.httpVersion}`;
  }

  get secure(): boolean {
    return "encrypted" in this.#incoming.socket;
  }

  get length(): number | undefined {
    if (this.header("transfer-encoding") !== undefined) return undefined;
    const length = this.header("content-length");
    if (length !== undefined) return Number(length);
    // Only HTTP/2 has bodies that neither header announces.
    const { stream } = this.#incoming as MaybeHttp2;
    return stream === undefined || stream.endAfterHeaders ? 0 : undefined;
  }

  /** What HTTP/1.1 delivers is copied for us alone; frames of HTTP/2 may share their memory. */
  get given(): boolean {
    return (this.#incoming as MaybeHttp2).stream === undefined;
  }

  /** Whether nothing of a body is left to come. */
  get isDone(): boolean {
    return this.#incoming.complete || this.length === 0;
  }

  /** Whether the rest of the body is short, and sure to come. */
  get isSoonDone(): boolean {
    const { length } = this;
    return length !== undefined && length <= MAX_DISCARD && !this.#awaitsContinue();
  }

  /** Looks through the few headers as they came: cheaper than having all of them sorted into an object. */
  header(name: string): string | undefined {
    const raw = this.#incoming.rawHeaders;
    let found: string | undefined;
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const key = raw[at] as string;
      if (key.length !== name.length || key.toLowerCase() !== name) continue;
      const value = raw[at + 1] as string;
      found = found === undefined ? value : `${found}, ${value}`;
    }
    return found ?? (name === "host" ? this.#authority() : undefined);
  }

  pump(consume: ByteConsumer): Promise<void> {
    const incoming = this.#incoming;
    if (this.length === 0) return Promise.resolve();
    if (this.#awaitsContinue()) {
      this.#continued = true;
      this.#outgoing.writeContinue();
    }
    return new Promise((resolve, reject) => {
      let busy: Promise<void> | undefined;
      const onData = (chunk: Buffer): void => {
        try {
          const result = consume(chunk);
          if (!(result instanceof Promise)) return;
          incoming.pause();
          busy = result;
          result.then(() => incoming.resume(), fail);
        } catch (error) {
          fail(error);
        }
      };
      const settle = (): void => {
        incoming.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      };
      const fail = (error: unknown): void => {
        settle();
        incoming.pause();
        reject(error as Error);
      };
      const onEnd = (): void => {
        settle();
        resolve();
      };
      const onClose = (): void => {
        settle();
        // The consumer may still be writing the last chunk that came.
        const abort = (): void => reject(new RequestAborted());
        if (busy === undefined) abort();
        else busy.then(abort, reject);
      };
      if (incoming.destroyed && !incoming.readableEnded) return onClose();
      incoming.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
      incoming.resume();
    });
  }

  /** Reads on for a while and drops what comes. */
  linger(): Promise<void> {
    const incoming = this.#incoming;
    return new Promise((resolve) => {
      let left = MAX_LINGER;
      const stop = (): void => {
        clearTimeout(timer);
        incoming.off("data", onData).off("end", stop).off("close", stop).pause();
        resolve();
      };
      const onData = (chunk: Buffer): void => {
        left -= chunk.length;
        if (left < 0) stop();
      };
      const timer = setTimeout(stop, LINGER_TIME);
      if (incoming.destroyed || incoming.readableEnded) return stop();
      incoming.on("data", onData).on("end", stop).on("close", stop).on("error", stop).resume();
    });
  }

  /** What HTTP/2 has for a Host. */
  #authority(): string | undefined {
    return (this.#incoming as MaybeHttp2).authority;
  }

  #awaitsContinue(): boolean {
    return !this.#continued && this.header("expect")?.toLowerCase() === "100-continue";
  }
}

/** Proxies may leave the whole URL in the first line, which servers have to take: RFC 9112, section 3.2.2. */
function originForm(url: string): string {
  if (url.startsWith("/")) return url;
  const [, rest] = /^https?:\/\/[^/?#]*(.*)$/i.exec(url) ?? [];
  return rest === undefined ? url : rest.startsWith("/") ? rest : `/${rest}`;
}

async function send(
  request: NodeRequest,
  outgoing: ServerResponse,
  answer: RegistryResponse | Promise<RegistryResponse>,
): Promise<void> {
  const response = await answer;
  const { status, headers, body } = response;
  if (!request.isDone && !request.isSoonDone) return await sendAndClose(request, outgoing, response);
  if (body === undefined || body instanceof Uint8Array) return sendWhole(outgoing, response);
  try {
    outgoing.writeHead(status, headers as string[]);
    // One that may have to wait for its bytes says first that they will come.
    if (body.cancel !== undefined) outgoing.flushHeaders();
    await sendStream(outgoing, body);
    outgoing.end();
  } finally {
    await body.close();
  }
}

function sendWhole(outgoing: ServerResponse, response: RegistryResponse): void {
  outgoing.writeHead(response.status, response.headers as string[]);
  outgoing.end(response.body as Uint8Array | undefined);
}

/** The answer came before the body: it goes out, a little more of the body is read, then the connection ends. */
async function sendAndClose(
  request: NodeRequest,
  outgoing: ServerResponse,
  response: RegistryResponse,
): Promise<void> {
  const { status, headers, body } = response;
  // Of HTTP/2 one stream ends, and the connection goes on.
  const farewell = "stream" in outgoing ? [] : ["Connection", "close"];
  outgoing.writeHead(status, [...headers, ...farewell]);
  if (body instanceof Uint8Array) outgoing.write(body);
  else {
    await body?.close();
    outgoing.flushHeaders();
  }
  await request.linger();
  outgoing.end();
}

/** One chunk at a time: it belongs to the stream again when the socket has taken it. */
async function sendStream(outgoing: ServerResponse, stream: ResponseStream): Promise<void> {
  let abandon: ((error: Error) => void) | undefined;
  const onClose = (): void => {
    abandon?.(new RequestAborted());
    stream.cancel?.();
  };
  outgoing.once("close", onClose);
  try {
    await stream.pump((chunk) => {
      if (outgoing.destroyed) throw new RequestAborted();
      return new Promise<void>((resolve, reject) => {
        abandon = reject;
        outgoing.write(chunk, (error) => (error ? reject(new RequestAborted({ cause: error })) : resolve()));
      });
    });
  } finally {
    outgoing.off("close", onClose);
  }
}
