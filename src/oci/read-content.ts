import { type ContentSource, type SignalOptions } from "./content.ts";
import { type Descriptor } from "./descriptor.ts";
import { digestOf, digestAlgorithm } from "./digest.ts";
import { MAX_DOCUMENT_SIZE } from "./documents.ts";
import { OciError } from "./errors.ts";
import { Verifier } from "./verifier.ts";

export interface ReadContentOptions extends SignalOptions {
  /** Bytes; {@link MAX_DOCUMENT_SIZE} by default. */
  readonly limit?: number | undefined;
}

/**
 * Reads content into memory and verifies it. For documents; layers are streamed. Content that a descriptor carries
 * itself is taken from there when it is the right one.
 *
 * @throws OciError `SIZE_INVALID`, `DIGEST_INVALID`, or the source's error
 */
export async function readContent(
  source: ContentSource,
  descriptor: Descriptor,
  options: ReadContentOptions = {},
): Promise<Uint8Array> {
  const limit = options.limit ?? MAX_DOCUMENT_SIZE;
  if (descriptor.size > limit) {
    throw new OciError(
      "SIZE_INVALID",
      `Cannot read content "${descriptor.digest}": it has ${descriptor.size} bytes, more than the ${limit} read into memory`,
    );
  }
  const embedded = embeddedContent(descriptor);
  if (embedded !== undefined) return embedded;
  const bytes = new Uint8Array(descriptor.size);
  const verifier = new Verifier(descriptor);
  const stream = await source.open(descriptor, { signal: options.signal });
  try {
    await stream.pump((chunk) => {
      const at = verifier.received;
      verifier.update(chunk);
      bytes.set(chunk, at);
    });
  } finally {
    await stream.close();
  }
  verifier.end();
  return bytes;
}

/** The content a descriptor carries in `data`, if it is what the descriptor says; `undefined` otherwise. */
export function embeddedContent(descriptor: Descriptor): Uint8Array | undefined {
  const { data, size, digest } = descriptor;
  // The length first: decoding must not cost more than the size that was already found acceptable.
  if (data === undefined || data.length > Math.ceil(size / 3) * 4) return undefined;
  const bytes = Buffer.from(data, "base64");
  if (bytes.byteLength !== size || digestOf(bytes, digestAlgorithm(digest)) !== digest) return undefined;
  return bytes;
}
