/**
 * A gRPC call whose messages are made by whoever makes the call. The generated clients copy each message four times
 * on its way; that is nothing for a label, and as much work as unpacking for a layer.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect } from "node:net";

import { Code, ConnectError } from "@connectrpc/connect";

import type { SignalOptions } from "../../oci/index.ts";

/** In front of each message: whether it is compressed, and its length. */
export const PREFIX = 5;

const MAX_ANSWER = 1024 * 1024;

/** An HTTP/2 connection to a unix socket, made when it is needed and again when it has ended. */
export class RawConnection implements Disposable {
  readonly #path: string;
  #session: ClientHttp2Session | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  call(method: string, headers: Readonly<Record<string, string>>, options: SignalOptions = {}): RawCall {
    const { signal } = options;
    signal?.throwIfAborted();
    const stream = this.#open().request(
      {
        [constants.HTTP2_HEADER_METHOD]: "POST",
        [constants.HTTP2_HEADER_PATH]: method,
        [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc+proto",
        [constants.HTTP2_HEADER_TE]: "trailers",
        ...headers,
      },
      { endStream: false, ...(signal !== undefined && { signal }) },
    );
    return new RawCall(stream, signal);
  }

  [Symbol.dispose](): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #open(): ClientHttp2Session {
    const known = this.#session;
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const session = connectHttp2("http://localhost", { createConnection: () => connect(this.#path) });
    // Whatever was under way on it fails, and says so.
    session.on("error", () => {});
    session.on("goaway", () => session.close());
    this.#session = session;
    return session;
  }
}

export class RawCall {
  readonly #stream: ClientHttp2Stream;
  readonly #signal: AbortSignal | undefined;
  readonly #answers: Buffer[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;
  #ended = false;
  #wake: () => void = () => {};

  constructor(stream: ClientHttp2Stream, signal: AbortSignal | undefined) {
    this.#stream = stream;
    this.#signal = signal;
    stream.on("response", (headers) => this.#judge(headers));
    stream.on("trailers", (headers) => this.#judge(headers));
    stream.on("data", (chunk: Buffer) => this.#take(chunk));
    stream.on("error", (error) => this.#end(this.#lost(error)));
    stream.on("close", () => this.#end(this.#lost(undefined)));
  }

  /** Sends a message with its prefix. The bytes may be reused when `sent` is called. */
  send(message: Uint8Array, sent: () => void = () => {}): void {
    if (!this.#stream.writable) return;
    this.#stream.write(message, sent);
  }

  /** Nothing more will be sent. */
  endSending(): void {
    if (this.#stream.writable) this.#stream.end();
  }

  /**
   * The next answer.
   *
   * @throws ConnectError, or the signal's reason
   */
  async receive(): Promise<Buffer> {
    for (;;) {
      const answer = this.#answers.shift();
      if (answer !== undefined) return answer;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) throw new ConnectError("the call ended early", Code.Internal);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Ends the call wherever it is; resolves when nothing is under way any more. */
  async close(): Promise<void> {
    if (this.#stream.closed) return;
    await new Promise<void>((resolve) => {
      this.#stream.once("close", resolve);
      this.#stream.close(this.#ended ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL);
    });
  }

  #judge(headers: IncomingHttpHeaders): void {
    const status = headers["grpc-status"];
    if (status === undefined) return;
    if (status === "0") return void (this.#ended = true);
    const said = decode(headers["grpc-message"]?.toString() ?? "");
    this.#end(new ConnectError(said, Number(status) as Code));
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= PREFIX) {
      const length = this.#rest.readUInt32BE(1);
      if (length > MAX_ANSWER) return this.#end(new ConnectError("an answer is too long", Code.Internal));
      if (this.#rest.length < PREFIX + length) return;
      this.#answers.push(this.#rest.subarray(PREFIX, PREFIX + length));
      this.#rest = this.#rest.subarray(PREFIX + length);
    }
    this.#wake();
  }

  #lost(error: unknown): Error {
    if (this.#signal?.aborted === true) return this.#signal.reason as Error;
    return new ConnectError("the connection was lost", Code.Unavailable, undefined, undefined, error);
  }

  #end(failure: Error): void {
    if (!this.#ended) this.#failure ??= failure;
    this.#ended = true;
    this.#wake();
  }
}

function decode(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
