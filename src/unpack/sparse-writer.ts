import { TarFormatError, type TarExtent, type TarSparse } from "../internal/tar-header.ts";

const BLOCK = 512;
const MAX_MAP = 1024 * 1024;

/** Where in a file the next bytes belong. */
export interface Placed {
  readonly bytes: Uint8Array;
  readonly position: number;
}

/**
 * Says where the data of a sparse entry belong; what lies between stays a hole. PAX's newest form keeps the map in
 * front of the data: numbers, one a line, filled up to a whole block.
 */
export class SparsePlacer {
  readonly #realSize: number;
  #extents: readonly TarExtent[] | undefined;
  #map: Buffer = Buffer.alloc(0);
  #index = 0;
  #done = 0;

  /**
   * @throws TarFormatError for a map whose stretches overlap or lie outside of the file
   */
  constructor(sparse: TarSparse, dataSize: number) {
    this.#realSize = sparse.realSize;
    if (sparse.realSize < 0) throw new TarFormatError("a sparse file's size is negative");
    if (sparse.extents !== undefined) this.#accept(sparse.extents, dataSize);
  }

  /** The pieces of `chunk`, in order. `left`: bytes of the entry from this chunk on. */
  place(chunk: Uint8Array, left: number): readonly Placed[] {
    let bytes = chunk;
    if (this.#extents === undefined) {
      this.#map = Buffer.concat([this.#map, chunk]);
      const parsed = parseMap(this.#map);
      if (parsed === undefined) {
        if (left === chunk.length) throw new TarFormatError("a sparse map is cut off");
        return [];
      }
      this.#accept(parsed.extents, this.#map.length + left - chunk.length - parsed.length);
      bytes = this.#map.subarray(parsed.length);
    }
    const placed: Placed[] = [];
    while (bytes.length > 0) {
      const extent = this.#extents?.[this.#index];
      if (extent === undefined) throw new TarFormatError("a sparse file has more data than its map says");
      const part = bytes.subarray(0, extent.length - this.#done);
      if (part.length > 0) placed.push({ bytes: part, position: extent.offset + this.#done });
      this.#done += part.length;
      bytes = bytes.subarray(part.length);
      if (this.#done === extent.length) {
        this.#index++;
        this.#done = 0;
      }
    }
    return placed;
  }

  #accept(extents: readonly TarExtent[], dataSize: number): void {
    let end = 0;
    let total = 0;
    for (const { offset, length } of extents) {
      if (offset < end || length < 0 || offset + length > this.#realSize) {
        throw new TarFormatError("a sparse map is out of order");
      }
      end = offset + length;
      total += length;
    }
    if (total !== dataSize) throw new TarFormatError("a sparse map doesn't cover its data");
    this.#extents = extents;
  }
}

/** `undefined` while more is needed. */
function parseMap(
  bytes: Buffer,
): { readonly extents: readonly TarExtent[]; readonly length: number } | undefined {
  const numbers: number[] = [];
  let at = 0;
  while (numbers.length === 0 || numbers.length < 1 + 2 * (numbers[0] ?? 0)) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) {
      if (bytes.length > MAX_MAP || bytes.length - at > 20)
        throw new TarFormatError("a sparse map is malformed");
      return undefined;
    }
    const text = bytes.toString("latin1", at, end);
    const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(number)) throw new TarFormatError("a sparse map is malformed");
    numbers.push(number);
    at = end + 1;
    if (at > MAX_MAP) throw new TarFormatError("a sparse map is too large");
  }
  const length = Math.ceil(at / BLOCK) * BLOCK;
  if (bytes.length < length) return undefined;
  const extents: TarExtent[] = [];
  for (let i = 1; i < numbers.length; i += 2) {
    extents.push({ offset: numbers[i] ?? 0, length: numbers[i + 1] ?? 0 });
  }
  return { extents, length };
}
