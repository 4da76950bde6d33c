import { pumpDecompressed } from "../internal/compression.ts";
import { TarDecoder } from "../internal/tar-decoder.ts";
import { TarFormatError } from "../internal/tar-header.ts";
import {
  type ContentStream,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  DigestHasher,
  type SignalOptions,
  Verifier,
} from "../oci/index.ts";
import { UnpackError } from "./errors.ts";
import type { LayerApplier } from "./layer-applier.ts";
import type { LimitGuard } from "./limits.ts";

export interface LayerExpectation extends SignalOptions {
  /** What the compressed bytes should be. */
  readonly descriptor?: Pick<Descriptor, "digest" | "size"> | undefined;
  /** What the uncompressed bytes should hash to. */
  readonly diffId?: Digest | undefined;
  /** Compressed bytes so far. Called often. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface LayerFacts {
  /** What the uncompressed bytes hash to. */
  readonly diffId: Digest;
  /** Uncompressed bytes. */
  readonly bytes: number;
}

/** Compressions that layers aren't allowed to have, by their first bytes. */
const REFUSED: readonly (readonly [string, string])[] = [
  ["425a68", "bzip2"],
  ["fd377a585a00", "xz"],
];

/**
 * Sends a layer through: bytes are verified, uncompressed, hashed again and applied as they come. Whoever calls has to
 * undo it all when this fails, for what is wrong with a layer may show in its last byte.
 *
 * @throws UnpackError, OciError `SIZE_INVALID` or `DIGEST_INVALID`, or the source's error
 */
export async function streamLayer(
  stream: ContentStream,
  { applier, limits }: { readonly applier: LayerApplier; readonly limits: LimitGuard },
  { descriptor, diffId, onProgress, signal }: LayerExpectation,
): Promise<LayerFacts> {
  const verifier = descriptor === undefined ? undefined : new Verifier(descriptor);
  const hasher = new DigestHasher(diffId === undefined ? "sha256" : digestAlgorithm(diffId));
  const decoder = new TarDecoder(applier);
  let consumed = 0;
  let bytes = 0;
  const source = {
    pump: async (consume: (chunk: Uint8Array) => void | Promise<void>): Promise<void> => {
      await stream.pump((chunk) => {
        signal?.throwIfAborted();
        verifier?.update(chunk);
        consumed += chunk.length;
        onProgress?.(consumed);
        return consume(chunk);
      });
      // Before the last bytes are uncompressed: damage has its own name then.
      verifier?.end();
    },
  };
  try {
    await pumpDecompressed(source, (chunk) => {
      signal?.throwIfAborted();
      if (bytes === 0) refuseCompression(chunk);
      bytes += chunk.length;
      limits.stream(chunk.length, bytes, consumed);
      hasher.update(chunk);
      return decoder.write(chunk);
    });
    decoder.end();
  } catch (error) {
    throw layerError(error, descriptor);
  } finally {
    applier.close();
    await stream.close();
  }
  const actual = hasher.digest();
  if (diffId !== undefined && actual !== diffId) {
    throw new UnpackError(
      "IMAGE_INVALID",
      `Cannot unpack layer${named(descriptor)}: uncompressed it hashes to ${actual}, but the config says ${diffId}`,
    );
  }
  applier.endLayer();
  return { diffId: actual, bytes };
}

function refuseCompression(chunk: Uint8Array): void {
  const head = Buffer.from(chunk.subarray(0, 6)).toString("hex");
  const found = REFUSED.find(([magic]) => head.startsWith(magic));
  if (found === undefined) return;
  throw new UnpackError(
    "ARCHIVE_UNSUPPORTED",
    `Cannot unpack a layer: it is compressed with ${found[1]}, not gzip or zstd`,
  );
}

function layerError(error: unknown, descriptor: Pick<Descriptor, "digest"> | undefined): unknown {
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
