import { TarDecoder } from "../internal/tar-decoder.ts";
import { TarFormatError } from "../internal/tar-header.ts";
import { type Descriptor, type Digest, digestAlgorithm, DigestHasher } from "../oci/index.ts";
import { UnpackError } from "./errors.ts";
import type { LayerApplier } from "./layer-applier.ts";

/** What a layer has to turn out to be. */
export interface PlainExpectation {
  /** For messages: whose bytes these are. */
  readonly descriptor?: Pick<Descriptor, "digest" | "size"> | undefined;
  /** What the uncompressed bytes should hash to. */
  readonly diffId?: Digest | undefined;
}

export interface LayerFacts {
  /** What the uncompressed bytes hash to. */
  readonly diffId: Digest;
  /** Uncompressed bytes. */
  readonly bytes: number;
}

/** Takes one layer's uncompressed bytes; {@link LayerWriter} applies them here, others pass them on. */
export interface PlainLayer {
  /** The chunk may be reused once the result settled. */
  write(chunk: Uint8Array): void | Promise<void>;
  /**
   * All bytes are there, and were the right ones.
   *
   * @throws UnpackError
   */
  end(): LayerFacts | Promise<LayerFacts>;
  /** Lets go of what is unfinished; harmless after the end. */
  close(): void;
}

/** Hashes uncompressed bytes and applies them as they come. */
export class LayerWriter implements PlainLayer {
  readonly #applier: LayerApplier;
  readonly #expected: PlainExpectation;
  readonly #hasher: DigestHasher;
  readonly #decoder: TarDecoder;
  #bytes = 0;

  constructor(applier: LayerApplier, expected: PlainExpectation) {
    this.#applier = applier;
    this.#expected = expected;
    this.#hasher = new DigestHasher(
      expected.diffId === undefined ? "sha256" : digestAlgorithm(expected.diffId),
    );
    this.#decoder = new TarDecoder(applier);
  }

  /** @throws UnpackError */
  async write(chunk: Uint8Array): Promise<void> {
    this.#bytes += chunk.length;
    this.#hasher.update(chunk);
    try {
      await this.#decoder.write(chunk);
    } catch (error) {
      throw layerError(error, this.#expected.descriptor);
    }
  }

  end(): LayerFacts {
    const { descriptor, diffId } = this.#expected;
    try {
      this.#decoder.end();
    } catch (error) {
      throw layerError(error, descriptor);
    } finally {
      this.close();
    }
    const actual = this.#hasher.digest();
    if (diffId !== undefined && actual !== diffId) {
      throw new UnpackError(
        "IMAGE_INVALID",
        `Cannot unpack layer${named(descriptor)}: uncompressed it hashes to ${actual}, but the config says ${diffId}`,
      );
    }
    this.#applier.endLayer();
    return { diffId: actual, bytes: this.#bytes };
  }

  close(): void {
    this.#applier.close();
  }
}

/** Damage of a compressed stream or of a tar gets the layer's name; everything else passes through untouched. */
export function layerError(error: unknown, descriptor: Pick<Descriptor, "digest"> | undefined): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const damaged =
    error instanceof TarFormatError ||
    (typeof code === "string" && /^(?:Z_|ZSTD_|ERR_ZLIB)/.test(code)) ||
    (error instanceof Error && error.message.startsWith("zstd data") && code === undefined);
  if (!damaged) return error;
  return new UnpackError(
    "ARCHIVE_INVALID",
    `Cannot unpack layer${named(descriptor)}: ${(error as Error).message}`,
    { cause: error },
  );
}

function named(descriptor: Pick<Descriptor, "digest"> | undefined): string {
  return descriptor === undefined ? "" : ` "${descriptor.digest}"`;
}
