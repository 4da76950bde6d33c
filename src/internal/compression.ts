/**
 * Compression of layers: told apart by their first bytes, undone and done as bytes flow.
 *
 * A gzip written here is the same wherever it is made: no name, no time, "unknown" as its operating system, and our
 * own DEFLATE. A zstd is the same for one version of the library in Node.
 */
import { constants, crc32, createGunzip, createZstdCompress, createZstdDecompress } from "node:zlib";
import type { Transform } from "node:stream";

import { Deflate } from "./deflate.ts";
import { COMPRESSION_MAGIC_LENGTH, type Compression, detectCompression } from "./detect-compression.ts";
import { ZstdFrameCutter } from "./zstd-frames.ts";

/** Anything that delivers its bytes once, as `ContentStream` does; a chunk is valid until the consumer settles. */
export interface Pump {
  pump(consume: (chunk: Uint8Array) => void | Promise<void>): Promise<void>;
}

type Consume = (chunk: Uint8Array) => void | Promise<void>;

const CHUNK = 256 * 1024;
/** The largest window a zstd frame may ask for: 128 MiB. */
const ZSTD_WINDOW_LOG = 27;
const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);

/**
 * Delivers the uncompressed bytes of `source` and says how they were compressed.
 *
 * @throws Error of node:zlib for damaged or truncated data
 */
export async function pumpDecompressed(source: Pump, consume: Consume): Promise<Compression> {
  let head = Buffer.alloc(0);
  let compression: Compression | undefined;
  let inflate: Compressor | undefined;
  const begin = (): Compression => {
    const detected = detectCompression(head);
    if (detected === "gzip") inflate = new Engine(createGunzip({ chunkSize: CHUNK }), consume);
    if (detected === "zstd") inflate = new ZstdDecoder(consume);
    return detected;
  };
  try {
    await source.pump((chunk) => {
      if (compression !== undefined) return inflate === undefined ? consume(chunk) : inflate.write(chunk);
      head = Buffer.concat([head, chunk]);
      if (head.length < COMPRESSION_MAGIC_LENGTH) return undefined;
      compression = begin();
      return inflate === undefined ? consume(head) : inflate.write(head);
    });
    if (compression === undefined) {
      compression = begin();
      if (inflate !== undefined) await (inflate as Compressor).write(head);
      else if (head.length > 0) await consume(head);
    }
    await inflate?.end();
    return compression;
  } catch (error) {
    inflate?.destroy();
    throw error;
  }
}

/** Changes what is written to it and hands the result to its consumer, in order. */
export interface Compressor {
  /** The chunk may be reused once the promise settled. */
  write(chunk: Uint8Array): void | Promise<void>;
  end(): Promise<void>;
  /** Drops everything; harmless after the end. */
  destroy(): void;
}

export function createCompressor(compression: Compression, consume: Consume): Compressor {
  if (compression === "none")
    return { write: consume, end: () => Promise.resolve(), destroy: () => undefined };
  if (compression === "gzip") return new GzipCompressor(consume);
  return new Engine(createZstdCompress({ chunkSize: CHUNK }), consume);
}

class ZstdDecoder implements Compressor {
  readonly #frames = new ZstdFrameCutter();
  readonly #engine: Engine;

  constructor(consume: Consume) {
    const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG };
    this.#engine = new Engine(createZstdDecompress({ chunkSize: CHUNK, params }), consume);
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length;) {
      const to = this.#frames.next(chunk, from);
      await this.#engine.write(chunk.subarray(from, to));
      from = to;
    }
  }

  end(): Promise<void> {
    if (!this.#frames.atBoundary) return Promise.reject(new Error("zstd data end in the middle of a frame"));
    return this.#engine.end();
  }

  destroy(): void {
    this.#engine.destroy();
  }
}

/** Works in the calling thread; see `deflate.ts` for why it isn't zlib. */
class GzipCompressor implements Compressor {
  readonly #consume: Consume;
  readonly #deflate: Deflate;
  #ready: Buffer[] = [Buffer.from(GZIP_HEADER)];
  #crc = 0;
  #size = 0;

  constructor(consume: Consume) {
    this.#consume = consume;
    this.#deflate = new Deflate((bytes) => this.#ready.push(Buffer.from(bytes)));
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#crc = crc32(chunk, this.#crc);
    this.#size = (this.#size + chunk.length) % 0x1_0000_0000;
    this.#deflate.write(chunk);
    await this.#deliver();
  }

  async end(): Promise<void> {
    this.#deflate.end();
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(this.#crc, 0);
    trailer.writeUInt32LE(this.#size, 4);
    this.#ready.push(trailer);
    await this.#deliver();
  }

  destroy(): void {
    this.#ready = [];
  }

  async #deliver(): Promise<void> {
    const ready = this.#ready;
    this.#ready = [];
    for (const bytes of ready) await this.#consume(bytes);
  }
}

/**
 * Drives one zlib stream from a pushed input to a pushed output. A write settles only when zlib has taken the whole
 * chunk, so nobody has to copy; output that its consumer hasn't finished with holds the input back.
 */
class Engine implements Compressor {
  readonly #stream: Transform;
  readonly #drained: Promise<void>;
  #failure: unknown;
  #failed: (error: unknown) => void = () => undefined;
  readonly #failing: Promise<never>;

  constructor(stream: Transform, consume: Consume) {
    this.#stream = stream;
    this.#failing = new Promise((_, reject) => {
      this.#failed = reject;
    });
    this.#failing.catch(() => undefined);
    this.#drained = this.#drain(consume);
    this.#drained.catch((error: unknown) => {
      this.#failure ??= error;
      this.#failed(error);
      this.#stream.destroy();
    });
  }

  write(chunk: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return this.#failing;
    const taken = new Promise<void>((resolve, reject) => {
      this.#stream.write(chunk, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
    taken.catch(() => undefined);
    return Promise.race([taken, this.#failing]);
  }

  async end(): Promise<void> {
    this.#stream.end();
    await this.#drained;
  }

  destroy(): void {
    this.#stream.destroy();
  }

  async #drain(consume: Consume): Promise<void> {
    for await (const chunk of this.#stream as AsyncIterable<Uint8Array>) await consume(chunk);
  }
}
