import { type ByteConsumer, type ContentSource, type ContentStream, type ImageSink } from "./content.ts";
import { type ImageSource, type OpenOptions, type WriteOptions, type WriteOutcome } from "./content.ts";
import { type Descriptor } from "./descriptor.ts";
import { digestOf, type Digest, type DigestAlgorithm } from "./digest.ts";
import { OciError } from "./errors.ts";
import { Verifier } from "./verifier.ts";

export interface MemoryContentOptions {
  /** Bytes handed over at a time; all at once by default. */
  readonly chunkSize?: number | undefined;
}

/** Images in memory: a source and a sink with the behaviour of every other, for tests and small copies. */
export class MemoryContent implements ImageSource, ImageSink {
  readonly #contents = new Map<Digest, { readonly descriptor: Descriptor; readonly bytes: Uint8Array }>();
  readonly #tags = new Map<string, Descriptor>();
  readonly #chunkSize: number | undefined;

  constructor(options: MemoryContentOptions = {}) {
    this.#chunkSize = options.chunkSize;
  }

  /** Adds content, and describes it. The bytes belong to the store from then on. */
  add(bytes: Uint8Array | string, mediaType: string, algorithm: DigestAlgorithm = "sha256"): Descriptor {
    const own = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    const descriptor = { mediaType, digest: digestOf(own, algorithm), size: own.byteLength };
    this.#contents.set(descriptor.digest, { descriptor, bytes: own });
    return descriptor;
  }

  /** Adds a document as JSON. */
  addDocument(document: unknown, mediaType: string): Descriptor {
    return this.add(JSON.stringify(document), mediaType);
  }

  /** The bytes of a digest, if they are here. */
  find(digest: Digest): Uint8Array | undefined {
    return this.#contents.get(digest)?.bytes;
  }

  get digests(): readonly Digest[] {
    return [...this.#contents.keys()];
  }

  get tags(): ReadonlyMap<string, Descriptor> {
    return this.#tags;
  }

  open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    const bytes = this.find(descriptor.digest);
    if (bytes === undefined) return Promise.reject(unknown(descriptor.digest));
    return Promise.resolve(memoryStream(bytes, { ...options, chunkSize: this.#chunkSize }));
  }

  has(descriptor: Descriptor): Promise<boolean> {
    return Promise.resolve(this.#contents.has(descriptor.digest));
  }

  async write(
    descriptor: Descriptor,
    source: ContentSource,
    options: WriteOptions = {},
  ): Promise<WriteOutcome> {
    if (await this.has(descriptor)) return "exists";
    const verifier = new Verifier(descriptor);
    const chunks: Uint8Array[] = [];
    const stream = await source.open(descriptor, { signal: options.signal });
    try {
      await stream.pump((chunk) => {
        verifier.update(chunk);
        chunks.push(chunk.slice());
        options.onProgress?.(verifier.received);
      });
    } finally {
      await stream.close();
    }
    verifier.end();
    this.#contents.set(descriptor.digest, { descriptor, bytes: Buffer.concat(chunks) });
    return "written";
  }

  resolve(reference: string): Promise<Descriptor> {
    const found = this.#tags.get(reference) ?? this.#contents.get(reference as Digest)?.descriptor;
    return found === undefined ? Promise.reject(unknown(reference)) : Promise.resolve(found);
  }

  tag(descriptor: Descriptor, reference: string): Promise<void> {
    if (!this.#contents.has(descriptor.digest)) return Promise.reject(unknown(descriptor.digest));
    this.#tags.set(reference, descriptor);
    return Promise.resolve();
  }
}

/** A reading of bytes that are in memory. */
export function memoryStream(
  bytes: Uint8Array,
  options: OpenOptions & MemoryContentOptions = {},
): ContentStream {
  const { offset = 0, chunkSize = Math.max(1, bytes.byteLength), signal } = options;
  return {
    async pump(consume: ByteConsumer): Promise<void> {
      for (let at = offset; at < bytes.byteLength; at += chunkSize) {
        signal?.throwIfAborted();
        const settled = consume(bytes.subarray(at, at + chunkSize));
        if (settled !== undefined) await settled;
      }
    },
    close: () => Promise.resolve(),
  };
}

function unknown(reference: string): OciError {
  return new OciError("BLOB_UNKNOWN", `Cannot open ${JSON.stringify(reference)}: not in memory`);
}
