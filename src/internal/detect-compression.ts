export type Compression = "none" | "gzip" | "zstd";

/** How many first bytes {@link detectCompression} wants to see. */
export const COMPRESSION_MAGIC_LENGTH = 8;

/** How a stream is compressed, by its first bytes; {@link COMPRESSION_MAGIC_LENGTH} are enough. Anything unknown counts as not compressed. */
export function detectCompression(bytes: Uint8Array): Compression {
  const [a, b, c, d] = bytes;
  if (a === 0x1f && b === 0x8b && c === 0x08) return "gzip";
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return "zstd";
  // zstd streams may begin with a frame to be skipped, which has a length behind its magic number.
  const skippable = a !== undefined && (a & 0xf0) === 0x50 && b === 0x2a && c === 0x4d && d === 0x18;
  return skippable && bytes.length >= COMPRESSION_MAGIC_LENGTH ? "zstd" : "none";
}
