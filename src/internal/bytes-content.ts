type Consume = (chunk: Uint8Array) => void | Promise<void>;

/** Bytes in memory as a content stream: one chunk, or none. */
export function bytesContent(
  bytes: Uint8Array,
  offset: number = 0,
): { pump(consume: Consume): Promise<void>; close(): Promise<void> } {
  return {
    async pump(consume) {
      if (offset < bytes.length) await consume(bytes.subarray(offset));
    },
    close: () => Promise.resolve(),
  };
}
