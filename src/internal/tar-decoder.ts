import { type TarEntry, TarFormatError, tarPadding } from "./tar-header.ts";
import { TarHeaderReader } from "./tar-reader.ts";

export interface TarHandler {
  entry(entry: TarEntry): void | Promise<void>;
  /** The data of the latest entry, piece by piece; a piece is valid until the result settles. */
  data?(chunk: Uint8Array): void | Promise<void>;
}

/** Reads a tar that is pushed to it. Bytes behind the end marker are passed over. */
export class TarDecoder {
  readonly #handler: TarHandler;
  readonly #headers = new TarHeaderReader();
  #block = Buffer.alloc(512);
  #filled = 0;
  #data = 0;
  #padding = 0;
  #ended = false;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  /**
   * @throws TarFormatError
   */
  async write(chunk: Uint8Array): Promise<void> {
    let at = 0;
    while (at < chunk.length && !this.#ended) {
      if (this.#data > 0) {
        const part = chunk.subarray(at, at + this.#data);
        const pending = this.#handler.data?.(part);
        if (pending !== undefined) await pending;
        this.#data -= part.length;
        at += part.length;
      } else if (this.#padding > 0) {
        const skipped = Math.min(this.#padding, chunk.length - at);
        this.#padding -= skipped;
        at += skipped;
      } else {
        const { need } = this.#headers;
        if (this.#block.length < need) this.#block = Buffer.concat([this.#block], need);
        const part = chunk.subarray(at, at + need - this.#filled);
        this.#block.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
        if (this.#filled === need) await this.#header(this.#block.subarray(0, need));
      }
    }
  }

  /**
   * @throws TarFormatError when the tar is cut off; a missing end marker is tolerated, and so is missing padding before it
   */
  end(): void {
    if (this.#ended) return;
    if (this.#data > 0 || this.#filled > 0) throw new TarFormatError("it is cut off");
    this.#headers.finish();
  }

  async #header(block: Buffer): Promise<void> {
    this.#filled = 0;
    const entry = this.#headers.accept(block);
    if (entry === undefined) return;
    if (entry === "end") {
      this.#ended = true;
      return;
    }
    this.#data = entry.size;
    this.#padding = tarPadding(entry.size);
    const pending = this.#handler.entry(entry);
    if (pending !== undefined) await pending;
  }
}
