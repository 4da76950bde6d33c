/**
 * One HTTP/1.1 connection: writes a request, reads its answer, and is handed back when both are over.
 *
 * The engine is our own rather than `node:http` because of what that costs a short-lived process: loading it takes
 * longer than a manifest's round trip, and it allocates for every read where one buffer per connection will do.
 */
import type { Socket } from "node:net";

import { openFraming } from "./body-framing.ts";
import { ClientError } from "./errors.ts";
import type { HttpBodySource, HttpRequest, HttpResponse } from "./http.ts";
import { connectionCut, connectionTimeout, networkError } from "./network-error.ts";
import { bodyKind, HEAD_LIMIT, invalid, parseResponseHead, type ResponseHead } from "./response-head.ts";
import { SocketBody, type BodyConnection } from "./socket-body.ts";
import { SocketResponse } from "./socket-response.ts";

const END_OF_HEAD = "\r\n\r\n";

/** A request body's writer throws this to stop its source once the server answered without reading on. */
const UNWANTED: Error = new Error("The answer came before the end of the request");

export interface ConnectionLimits {
  /** Milliseconds without a byte in either direction before the answer is given up. */
  readonly idleTimeout: number;
  /** The same between two bytes of an answer's body. */
  readonly bodyTimeout: number;
  /** The same while a server digests what it was sent, which takes a registry as long as storing a blob. */
  readonly uploadTimeout: number;
  /** Bytes read from the socket at once. */
  readonly bufferSize: number;
}

export class Connection implements BodyConnection {
  /** Host and port, for messages. */
  readonly what: string;
  /** Told when the connection is free again, or gone. */
  onFree: (reusable: boolean) => void = () => {};
  /** Whether an earlier answer came over this connection. */
  used = false;
  /** Whether any byte of the present answer arrived. */
  answered = false;
  readonly #limits: ConnectionLimits;
  #socket: Socket | undefined;
  #buffer: Uint8Array | undefined;
  readonly #buffers: Uint8Array[] = [];
  #head: Buffer = Buffer.alloc(0);
  #request: HttpRequest | undefined;
  #answer: PromiseWithResolvers<HttpResponse> | undefined;
  #body: SocketBody | undefined;
  #persistent = false;
  #sending = false;
  /** The server refused before the request's end: the rest of its body isn't sent. */
  #unwanted = false;
  #failure: Error | undefined;
  #stalled = false;
  #writesStarted = 0;
  #writesDone = 0;
  #written: PromiseWithResolvers<void> | undefined;

  constructor(what: string, limits: ConnectionLimits) {
    this.what = what;
    this.#limits = limits;
  }

  get destroyed(): boolean {
    return this.#socket?.destroyed ?? true;
  }

  get remoteAddress(): string | undefined {
    return this.#socket?.remoteAddress;
  }

  /** Takes over a connected socket whose bytes are given to {@link receive}. */
  attach(socket: Socket): void {
    this.#socket = socket;
    socket.on("error", (error) => this.#broken(networkError(error, this.what)));
    socket.on("end", () => this.#ended());
    socket.on("close", () => this.#ended());
    socket.on("timeout", () => this.#timedOut());
  }

  /** `head` is the whole head of the request, ready to be written. */
  send(request: HttpRequest, head: string): Promise<HttpResponse> {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return Promise.reject(connectionCut(this.what));
    this.#request = request;
    this.#answer = Promise.withResolvers();
    this.#body = undefined;
    this.#failure = undefined;
    this.#unwanted = false;
    this.answered = false;
    socket.ref();
    socket.setTimeout(request.body === undefined ? this.#limits.idleTimeout : this.#limits.uploadTimeout);
    request.signal?.addEventListener("abort", this.#abort);
    this.#write(socket, request, head);
    return this.#answer.promise;
  }

  /** Bytes from the socket; false: stop reading until {@link resume}. The chunk's memory is written to again after. */
  receive(chunk: Uint8Array): boolean {
    if (this.#body !== undefined && !this.#body.over) return this.#body.receive(chunk);
    if (this.#answer === undefined) {
      this.destroy(invalid("bytes nobody asked for"));
      return false;
    }
    try {
      return this.#receiveHead(chunk);
    } catch (error) {
      this.destroy(error as Error);
      return false;
    }
  }

  /** The memory for the next read: the same again, unless a reader still holds it. */
  readonly nextBuffer = (): Uint8Array => {
    const body = this.#body;
    if (this.#buffer !== undefined && body?.waiting !== true) return this.#buffer;
    this.#buffer = this.#buffers.find((buffer) => body === undefined || !body.uses(buffer.buffer));
    if (this.#buffer === undefined) {
      this.#buffer = new Uint8Array(this.#limits.bufferSize);
      this.#buffers.push(this.#buffer);
    }
    return this.#buffer;
  };

  resume(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    if (this.#stalled) socket.setTimeout(socket.timeout ?? this.#limits.bodyTimeout);
    this.#stalled = false;
    socket.resume();
  }

  bodyEnded(clean: boolean): void {
    this.#finish(clean && this.#persistent && !this.#sending);
  }

  /** Waits for the next request without keeping the process alive. */
  park(idleFor: number): void {
    this.#socket?.setTimeout(idleFor);
    this.#socket?.unref();
  }

  cut(): void {
    this.destroy(connectionCut(this.what));
  }

  close(): void {
    this.#socket?.destroy();
  }

  destroy(error: Error): void {
    this.#broken(error);
    this.#socket?.destroy();
  }

  #receiveHead(chunk: Uint8Array): boolean {
    this.answered = true;
    const view = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let bytes = this.#head.length === 0 ? view : Buffer.concat([this.#head, view]);
    for (;;) {
      const end = bytes.indexOf(END_OF_HEAD);
      if (end > HEAD_LIMIT || (end < 0 && bytes.length > HEAD_LIMIT))
        throw invalid("its head is longer than 64 KiB");
      if (end < 0) {
        refuseOtherProtocols(bytes);
        this.#head = Buffer.from(bytes);
        return true;
      }
      const head = parseResponseHead(bytes.toString("latin1", 0, end));
      bytes = bytes.subarray(end + END_OF_HEAD.length);
      // Interim answers (100, 103) say nothing that we act on; the real one follows.
      if (head.status >= 200) return this.#begin(head, bytes);
      if (head.status === 101) throw invalid("it switches protocols");
    }
  }

  #begin(head: ResponseHead, rest: Uint8Array): boolean {
    this.#head = Buffer.alloc(0);
    const request = this.#request;
    const answer = this.#answer;
    if (request === undefined || answer === undefined) return false;
    this.#persistent = head.persistent;
    this.#unwanted = this.#sending && head.status >= 300;
    const kind = bodyKind(request.method, head);
    const body = new SocketBody(this, openFraming(kind), rest);
    this.#body = body;
    const response = new SocketResponse(request, head, body, this.#socket?.remoteAddress);
    if (body.over) {
      this.#finish(rest.length === 0 && this.#persistent && !this.#sending);
      answer.resolve(response);
      return true;
    }
    this.#socket?.setTimeout(this.#limits.bodyTimeout);
    answer.resolve(response);
    return false;
  }

  #write(socket: Socket, request: HttpRequest, head: string): void {
    const { body } = request;
    if (body === undefined) {
      socket.write(head, "latin1");
    } else if (body instanceof Uint8Array) {
      socket.cork();
      socket.write(head, "latin1");
      if (body.length > 0) socket.write(body);
      socket.uncork();
    } else {
      socket.write(head, "latin1");
      this.#sending = true;
      void this.#writeBody(socket, body);
    }
  }

  async #writeBody(socket: Socket, body: HttpBodySource): Promise<void> {
    const { length } = body;
    let sent = 0;
    try {
      await body.pump((chunk) => {
        if (this.#unwanted || this.#answer === undefined) throw this.#failure ?? UNWANTED;
        if (chunk.length === 0) return undefined;
        sent += chunk.length;
        if (length !== undefined && sent > length) throw wrongLength(length, "more");
        if (length === undefined) socket.write(`${chunk.length.toString(16)}\r\n`, "latin1");
        const written = this.#writeChunk(socket, chunk);
        if (length === undefined) socket.write("\r\n", "latin1");
        return written;
      });
      if (length === undefined) socket.write("0\r\n\r\n", "latin1");
      else if (sent < length) throw wrongLength(length, "fewer");
      this.#sending = false;
    } catch (error) {
      // Half a body can't be mended: whatever the server answers, this connection is over.
      if (!this.#unwanted) this.destroy(error as Error);
    }
  }

  /** Nothing when the kernel took the bytes at once, else a promise for when it has. */
  #writeChunk(socket: Socket, chunk: Uint8Array): Promise<void> | undefined {
    this.#writesStarted++;
    socket.write(chunk, this.#onWritten);
    if (socket.writableLength === 0 && !socket.destroyed) return undefined;
    this.#written = Promise.withResolvers();
    if (socket.destroyed) this.#written.reject(this.#failure ?? connectionCut(this.what));
    return this.#written.promise;
  }

  readonly #onWritten = (error?: Error | null): void => {
    this.#writesDone++;
    if (error !== undefined && error !== null)
      this.#written?.reject(this.#failure ?? networkError(error, this.what));
    else if (this.#writesDone === this.#writesStarted) this.#written?.resolve();
  };

  readonly #abort = (): void => {
    const reason: unknown = this.#request?.signal?.reason;
    this.destroy(reason instanceof Error ? reason : new Error("Aborted", { cause: reason }));
  };

  #timedOut(): void {
    if (this.#answer === undefined) this.#socket?.destroy();
    else if (this.#body?.waiting === true) this.#stalled = true;
    else this.destroy(connectionTimeout(this.what));
  }

  /** The other side closed. A body may still be waiting for its reader, who decides whether it is complete. */
  #ended(): void {
    if (this.#answer === undefined) this.onFree(false);
    else if (this.#body === undefined) this.#broken(connectionCut(this.what));
    else this.#body.connectionEnded();
  }

  #broken(error: Error): void {
    const answer = this.#answer;
    if (answer === undefined) {
      this.onFree(false);
      return;
    }
    this.#failure = error;
    this.#body?.fail(error);
    this.#written?.reject(error);
    answer.reject(error);
    this.#finish(false);
  }

  #finish(reusable: boolean): void {
    if (this.#answer === undefined) return;
    this.#request?.signal?.removeEventListener("abort", this.#abort);
    this.#answer = undefined;
    this.#request = undefined;
    this.used = true;
    // Goes on reading even when idle: that is how it learns that the server closed.
    if (reusable) this.resume();
    else this.#socket?.destroy();
    this.onFree(reusable);
  }
}

function wrongLength(length: number, how: string): ClientError {
  return new ClientError(
    "SIZE_INVALID",
    `Cannot send the request's body: ${how} than the ${length} bytes announced`,
  );
}

/** Says at the first bytes, not after 64 KiB or a timeout, that the other side speaks something else. */
function refuseOtherProtocols(bytes: Buffer): void {
  const start = bytes.toString("latin1", 0, 5);
  if (!"HTTP/".startsWith(start))
    throw invalid(`it begins with ${JSON.stringify(bytes.toString("latin1", 0, 40))}`);
}
