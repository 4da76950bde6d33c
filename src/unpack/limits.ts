import { UnpackError } from "./errors.ts";
import { WHITEOUT_PREFIX } from "./whiteout.ts";

/** What a layer may make of the disk. Anything beyond ends the unpacking. */
export interface UnpackLimits {
  /** Bytes of all layers uncompressed, and of all files, holes included; 100 GiB by default. */
  readonly bytes?: number | undefined;
  /** Entries of all layers; ten million by default. */
  readonly entries?: number | undefined;
  /** How many bytes may come out of one, once {@link RATIO_GRACE} did; 200 by default. */
  readonly ratio?: number | undefined;
  /** Folders inside one another; 1024 by default. */
  readonly depth?: number | undefined;
  /** Bytes of one entry's extended attributes, names included; 64 KiB by default. */
  readonly xattrBytes?: number | undefined;
}

/** Small layers may be as empty as they like: a file of zeros is no attack. */
export const RATIO_GRACE: number = 1024 ** 3;

const MAX_PATH = 4096;
const MAX_NAME = 255;

/** Counts what layers ask for. */
export class LimitGuard {
  readonly #limits: Required<{ [K in keyof UnpackLimits]: number }>;
  #entries = 0;
  #fileBytes = 0;
  #streamBytes = 0;

  constructor(limits: UnpackLimits = {}) {
    this.#limits = {
      bytes: limits.bytes ?? 100 * 1024 ** 3,
      entries: limits.entries ?? 10_000_000,
      ratio: limits.ratio ?? 200,
      depth: limits.depth ?? 1024,
      xattrBytes: limits.xattrBytes ?? 64 * 1024,
    };
  }

  get depth(): number {
    return this.#limits.depth;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Bytes of files, holes included. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  /** `out` bytes more came out of a layer of which `consumed` were read, and `total` came out so far. */
  stream(out: number, total: number, consumed: number): void {
    this.#streamBytes += out;
    const { bytes, ratio } = this.#limits;
    if (this.#streamBytes > bytes) throw exceeded(`its layers have more than ${bytes} bytes`);
    if (total > RATIO_GRACE && total > consumed * ratio) {
      throw exceeded(`a layer grows to more than ${ratio} times its compressed size`);
    }
  }

  /** One more entry, for a file of so many bytes. */
  entry(size: number): void {
    const { entries, bytes } = this.#limits;
    if (++this.#entries > entries) throw exceeded(`it has more than ${entries} entries`);
    this.#fileBytes += size;
    if (this.#fileBytes > bytes) throw exceeded(`its files have more than ${bytes} bytes`);
  }

  /** A name, and the components it was cleaned to. */
  name(name: string, parts: readonly string[]): void {
    const { depth } = this.#limits;
    if (name.length > MAX_PATH) throw exceeded(`a path has more than ${MAX_PATH} bytes`);
    if (parts.length > depth) throw exceeded(`a path has more than ${depth} components`);
    // A marker is no file's name: it may say of the longest one that it is gone.
    const longest = (part: string, index: number): number =>
      index === parts.length - 1 && part.startsWith(WHITEOUT_PREFIX)
        ? MAX_NAME + WHITEOUT_PREFIX.length
        : MAX_NAME;
    if (parts.some((part, index) => part.length > longest(part, index)))
      throw exceeded(`a name has more than ${MAX_NAME} bytes`);
  }

  xattrs(xattrs: ReadonlyMap<string, Uint8Array>): void {
    let total = 0;
    for (const [name, value] of xattrs) total += Buffer.byteLength(name) + value.length;
    if (total <= this.#limits.xattrBytes) return;
    throw exceeded(`an entry's extended attributes have more than ${this.#limits.xattrBytes} bytes`);
  }
}

export function exceeded(why: string): UnpackError {
  return new UnpackError("LIMIT_EXCEEDED", `Cannot unpack the image: ${why}`);
}
