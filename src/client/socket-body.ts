import type { ByteConsumer } from "../oci/index.ts";
import type { BodyFraming } from "./body-framing.ts";

/** What a body needs of the connection it arrives on. */
export interface BodyConnection {
  /** Goes on reading after `receive()` answered false. */
  resume(): void;
  /** The body ended; `clean`: nothing followed it, so that the connection can serve again. */
  bodyEnded(clean: boolean): void;
  /** The body is incomplete, and nothing more will come. */
  cut(): void;
  destroy(error: Error): void;
}

/**
 * The bytes of one answer, handed on as they arrive in the connection's buffers. While the consumer's promise is
 * pending one more read may arrive and is held; then the socket isn't read, and the kernel's window slows the
 * sender down.
 */
export class SocketBody {
  readonly #connection: BodyConnection;
  readonly #framing: BodyFraming;
  readonly #held: Uint8Array[] = [];
  /** The consumer isn't ready, so nothing may be delivered, and silence on the wire means nothing. */
  #waiting = true;
  #inUse: ArrayBufferLike | undefined;
  #ended = false;
  #consume: ByteConsumer | undefined;
  #result: PromiseWithResolvers<void> | undefined;
  #failure: unknown;
  #over: boolean;

  /** `rest` came in the same read as the head. */
  constructor(connection: BodyConnection, framing: BodyFraming, rest: Uint8Array) {
    this.#connection = connection;
    this.#framing = framing;
    this.#over = framing.done;
    if (rest.length > 0) this.#held.push(rest);
  }

  get over(): boolean {
    return this.#over;
  }

  /** Whether chunks it was given are still in use, so that their memory must not be written to. */
  get waiting(): boolean {
    return this.#waiting && !this.#over;
  }

  /** Whether this memory is in a reader's hands, or waits for it. */
  uses(memory: ArrayBufferLike): boolean {
    return this.#inUse === memory || this.#held.some((chunk) => chunk.buffer === memory);
  }

  pump(consume: ByteConsumer): Promise<void> {
    if (this.#consume !== undefined) return Promise.reject(new TypeError("A body can be read only once"));
    this.#consume = consume;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#over) return Promise.resolve();
    this.#result = Promise.withResolvers();
    this.#goOn();
    return this.#result.promise;
  }

  /** Bytes from the socket; false: stop reading until `resume()`. */
  receive(chunk: Uint8Array): boolean {
    if (!this.#waiting) return this.#deliver(chunk, 0);
    this.#held.push(chunk);
    return false;
  }

  /** The other side sent its last byte. */
  connectionEnded(): void {
    this.#ended = true;
    if (!this.#waiting) this.#meetEnd();
  }

  fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = error;
    this.#result?.reject(error);
  }

  /** Delivers what is held; then reads on. */
  #goOn(): void {
    this.#waiting = false;
    this.#inUse = undefined;
    while (this.#held.length > 0 && !this.#over) {
      const chunk = this.#held.shift();
      if (chunk !== undefined) this.#deliver(chunk, 0);
      if (this.#waiting) break;
    }
    if (this.#over || this.#held.length > 0) return;
    if (!this.#ended) this.#connection.resume();
    else if (!this.#waiting) this.#meetEnd();
  }

  #deliver(chunk: Uint8Array, from: number): boolean {
    const framing = this.#framing;
    let position = from;
    try {
      while (position < chunk.length && !framing.done && !this.#over) {
        position = framing.take(chunk, position);
        if (framing.end === framing.start) continue;
        const whole = framing.start === 0 && framing.end === chunk.length;
        const pending = this.#consume?.(whole ? chunk : chunk.subarray(framing.start, framing.end));
        if (pending !== undefined && pending !== null) {
          this.#inUse = chunk.buffer;
          this.#await(pending, position === chunk.length ? undefined : chunk.subarray(position));
          return this.#held.length === 0;
        }
      }
    } catch (error) {
      this.#stop(error);
      return false;
    }
    if (framing.done && !this.#over) this.#end(position === chunk.length && this.#held.length === 0);
    return true;
  }

  #await(pending: Promise<void>, rest: Uint8Array | undefined): void {
    this.#waiting = true;
    if (rest !== undefined) this.#held.unshift(rest);
    pending.then(
      () => {
        if (this.#over) return;
        if (this.#framing.done) this.#end(this.#held.length === 0);
        else this.#goOn();
      },
      (error: unknown) => this.#stop(error),
    );
  }

  #meetEnd(): void {
    if (this.#framing.mayEnd) this.#end(false);
    else this.#connection.cut();
  }

  #end(clean: boolean): void {
    this.#over = true;
    this.#connection.bodyEnded(clean);
    this.#result?.resolve();
  }

  #stop(error: unknown): void {
    this.fail(error);
    this.#connection.destroy(error instanceof Error ? error : new Error("The body is not wanted any more"));
  }
}
