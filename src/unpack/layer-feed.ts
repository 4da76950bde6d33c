import { type FileHandle, open, rm } from "node:fs/promises";

import { writeFully } from "../internal/file-content.ts";
import type { ByteConsumer, ContentSource, ContentStream, Descriptor } from "../oci/index.ts";

const CHUNK = 256 * 1024;

export interface LayerFeedOptions {
  readonly source: ContentSource;
  readonly descriptor: Descriptor;
  /** Where the layer waits when it comes before its turn. */
  readonly file: string;
  /** Bytes that have come so far. Called often. */
  readonly onProgress: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * One layer on its way. Before its turn it can already be fetched into a file; once it is its turn, what has come is
 * read from there, and the rest as it comes. A layer whose turn it is flows straight through.
 */
export class LayerFeed {
  readonly #options: LayerFeedOptions;
  #spool: Spool | undefined;

  constructor(options: LayerFeedOptions) {
    this.#options = options;
  }

  /** Begins to fetch; what goes wrong shows when the layer is read. */
  prefetch(): void {
    this.#spool ??= new Spool(this.#options);
  }

  /** The whole layer, once. */
  async open(): Promise<ContentStream> {
    const { source, descriptor, signal, onProgress } = this.#options;
    if (this.#spool !== undefined) return this.#spool;
    const stream = await source.open(descriptor, { signal });
    let bytes = 0;
    return {
      pump: (consume) =>
        stream.pump((chunk) => {
          onProgress((bytes += chunk.length));
          return consume(chunk);
        }),
      close: () => stream.close(),
    };
  }

  /** Waits until nothing is under way any more. */
  async close(): Promise<void> {
    await this.#spool?.close();
  }
}

/** A file that is written at one end while it is read at the other. */
class Spool implements ContentStream {
  readonly #options: LayerFeedOptions;
  readonly #filling: Promise<void>;
  #written = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  constructor(options: LayerFeedOptions) {
    this.#options = options;
    this.#filling = this.#fill().then(
      () => this.#end(undefined),
      (error: unknown) => this.#end({ error }),
    );
  }

  async pump(consume: ByteConsumer): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(CHUNK);
    let handle: FileHandle | undefined;
    let at = 0;
    try {
      for (;;) {
        if (at < this.#written) {
          handle ??= await open(this.#options.file, "r");
          const length = Math.min(CHUNK, this.#written - at);
          const { bytesRead } = await handle.read(buffer, 0, length, at);
          at += bytesRead;
          await consume(buffer.subarray(0, bytesRead));
        } else if (this.#failure !== undefined) throw this.#failure.error;
        else if (this.#ended) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      await handle?.close();
    }
  }

  async close(): Promise<void> {
    await this.#filling;
    await rm(this.#options.file, { force: true });
  }

  async #fill(): Promise<void> {
    const { source, descriptor, file, signal, onProgress } = this.#options;
    await using handle = await open(file, "wx", 0o600);
    const stream = await source.open(descriptor, { signal });
    try {
      await stream.pump(async (chunk) => {
        // Nobody has looked at the digest yet, so at least the size must not surprise the disk.
        const length = Math.min(chunk.length, descriptor.size + 1 - this.#written);
        await writeFully(handle, chunk.subarray(0, length), this.#written);
        this.#written += length;
        onProgress(this.#written);
        this.#wake();
        if (length < chunk.length) throw new Error("longer than announced");
      });
    } finally {
      await stream.close();
    }
  }

  #end(failure: { readonly error: unknown } | undefined): void {
    // One byte too many is enough: whoever reads it finds out, and has the words for it.
    if (this.#written <= this.#options.descriptor.size) this.#failure = failure;
    this.#ended = true;
    this.#wake();
  }
}
