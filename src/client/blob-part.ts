import type { ByteConsumer, ContentStream } from "../oci/index.ts";

/** Bytes handed on at once of what was held, so that other transfers get their turns. */
const SLICE = 1024 * 1024;

export interface BlobPartOptions {
  readonly start: number;
  /** The first byte behind it. */
  readonly end: number;
  readonly open: () => Promise<ContentStream>;
  /** Memory for what comes before its turn, asked for once and given back. */
  readonly takeBuffer: (length: number) => Uint8Array;
  readonly giveBuffer: (buffer: Uint8Array) => void;
  /** Its connection is free for another one, though it may still have to wait for its turn. */
  readonly onComplete: () => void;
}

/** A stretch of a blob on its way. Until its turn it is held in memory; from then on it flows through. */
export class BlobPart {
  readonly start: number;
  readonly end: number;
  /** Settles when the registry has agreed to send this part, or has not. */
  readonly opened: Promise<void>;
  readonly #options: BlobPartOptions;
  readonly #done: Promise<void>;
  #at: number;
  #buffer: Uint8Array | undefined;
  #direct: ByteConsumer | undefined;
  /** Bytes before this one came another way. */
  #from: number;
  #complete = false;

  constructor(options: BlobPartOptions) {
    this.start = options.start;
    this.end = options.end;
    this.#options = options;
    this.#at = options.start;
    this.#from = options.start;
    const opening = options.open();
    this.opened = opening.then(() => {});
    this.#done = opening.then((stream) => this.#fill(stream));
    // Whoever delivers hears of it; nobody does when the part isn't wanted any more.
    this.opened.catch(() => {});
    this.#done.catch(() => {});
  }

  /** Whether all of it has come. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Hands on the part in order, once, from an offset within it; what came before a failure is handed on first. */
  async deliver(from: number, consume: ByteConsumer): Promise<void> {
    let delivered = Math.max(this.start, from);
    this.#from = delivered;
    while (delivered < this.#at) {
      const position = delivered - this.start;
      const slice = this.#buffer?.subarray(position, Math.min(this.#at - this.start, position + SLICE));
      if (slice === undefined) break;
      const pending = consume(slice);
      if (pending !== undefined) await pending;
      delivered += slice.length;
    }
    // Nothing can have come since the loop looked: from here on the socket's own buffers are handed on.
    this.#direct = consume;
    this.#letGo();
    await this.#done;
  }

  /** Waits until nothing is under way any more. */
  async settle(): Promise<void> {
    await this.#done.catch(() => {});
    this.#letGo();
  }

  async #fill(stream: ContentStream): Promise<void> {
    try {
      await stream.pump((chunk) => this.#take(chunk));
      this.#complete = true;
      this.#options.onComplete();
    } finally {
      await stream.close();
    }
  }

  #take(chunk: Uint8Array): void | Promise<void> {
    const position = this.#at - this.start;
    this.#at += chunk.length;
    if (this.#direct !== undefined) {
      const known = this.#from - (this.start + position);
      if (known >= chunk.length) return undefined;
      return this.#direct(known > 0 ? chunk.subarray(known) : chunk);
    }
    this.#buffer ??= this.#options.takeBuffer(this.end - this.start);
    this.#buffer.set(chunk, position);
  }

  #letGo(): void {
    if (this.#buffer !== undefined) this.#options.giveBuffer(this.#buffer);
    this.#buffer = undefined;
  }
}
