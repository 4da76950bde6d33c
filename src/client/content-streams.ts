import type { ByteConsumer, ContentStream } from "../oci/index.ts";

/** Content that is in memory already. */
export class BytesStream implements ContentStream {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  async pump(consume: ByteConsumer): Promise<void> {
    if (this.#bytes.length > 0) await consume(this.#bytes);
  }

  async close(): Promise<void> {}
}
