import { pumpDecompressed } from "../internal/compression.ts";
import { type ContentStream, type SignalOptions, Verifier } from "../oci/index.ts";
import { UnpackError } from "./errors.ts";
import { layerError, type PlainExpectation, type PlainLayer } from "./layer-writer.ts";
import type { LimitGuard } from "./limits.ts";

export interface LayerExpectation extends PlainExpectation, SignalOptions {
  /** Compressed bytes so far. Called often. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** Compressions that layers aren't allowed to have, by their first bytes. */
const REFUSED: readonly (readonly [string, string])[] = [
  ["425a68", "bzip2"],
  ["fd377a585a00", "xz"],
];

/** Buffers smaller than this may be parts of a pool that others use. */
const OWN_MEMORY = 64 * 1024;

/**
 * Sends a layer through: bytes are verified, uncompressed and written as they come. Whoever calls has to undo it all
 * when this fails, for what is wrong with a layer may show in its last byte. The stream is closed.
 *
 * @throws UnpackError, OciError `SIZE_INVALID` or `DIGEST_INVALID`, or the source's error
 */
export async function streamLayer(
  stream: ContentStream,
  { layer, limits }: { readonly layer: PlainLayer; readonly limits: LimitGuard },
  { descriptor, onProgress, signal }: LayerExpectation,
): Promise<void> {
  const verifier = descriptor === undefined ? undefined : new Verifier(descriptor);
  let consumed = 0;
  let bytes = 0;
  let compressed: ArrayBufferLike | undefined;
  const source = {
    pump: async (consume: (chunk: Uint8Array) => void | Promise<void>): Promise<void> => {
      await stream.pump((chunk) => {
        signal?.throwIfAborted();
        compressed = chunk.buffer;
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
    await pumpDecompressed(source, async (chunk) => {
      signal?.throwIfAborted();
      if (bytes === 0) refuseCompression(chunk);
      bytes += chunk.length;
      limits.stream(chunk.length, bytes, consumed);
      await layer.write(chunk);
      if (chunk.buffer !== compressed) release(chunk);
    });
  } catch (error) {
    layer.close();
    throw layerError(error, descriptor);
  } finally {
    await stream.close();
  }
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

/**
 * Gives memory of uncompressed bytes back at once: otherwise whole heaps are collected every few megabytes to find it.
 * zlib fills one buffer after the other, so one that was used to its end is nobody's any more.
 */
function release({ buffer, byteOffset, byteLength }: Uint8Array): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < OWN_MEMORY) return;
  if (byteOffset + byteLength === buffer.byteLength) buffer.transfer(0);
}
