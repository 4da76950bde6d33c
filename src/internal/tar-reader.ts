import { isAscii, isUtf8 } from "node:buffer";

import {
  checksumMatches,
  isZeroBlock,
  parsePax,
  parseTarNumber,
  TAR_BLOCK,
  type PaxRecords,
  type TarEntry,
  type TarEntryType,
  type TarExtent,
  TarFormatError,
  tarPadding,
  type TarSparse,
  tarText,
} from "./tar-header.ts";

/** No real name or set of records comes near this; a hostile one would fill the memory. */
const MAX_META = 1024 * 1024;
const MAX_EXTENTS = 1_000_000;
const NONE: PaxRecords = new Map();
const NO_BYTES: Buffer = Buffer.alloc(0);
const GNU_MAGIC = "ustar  \0";

const TYPES: Readonly<Record<string, TarEntryType>> = {
  "\0": "file",
  "0": "file",
  "1": "link",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
  "7": "file",
  S: "file",
};

/**
 * Turns header blocks into entries, for streams and for files alike, without reading anything itself:
 *
 * ```text
 * loop: give accept() the next `need` bytes ──► undefined: go on
 *                                            ├► entry:     entry.size bytes of data and their padding come next
 *                                            └► "end":     the end marker; stop
 * at the end of input: finish()
 * ```
 */
export class TarHeaderReader {
  #need = TAR_BLOCK;
  #state: "header" | "meta" | "extents" = "header";
  #metaFlag = "";
  #metaSize = 0;
  #pax: PaxRecords = NONE;
  #longName: Buffer | undefined;
  #longLink: Buffer | undefined;
  #zero = false;
  #pending: Buffer | undefined;
  #extents: TarExtent[] = [];

  /** How many bytes the next `accept` takes. */
  get need(): number {
    return this.#need;
  }

  /**
   * @param bytes exactly `need` bytes; not kept
   * @throws TarFormatError
   */
  accept(bytes: Buffer): TarEntry | "end" | undefined {
    if (this.#state === "meta") {
      this.#acceptMeta(bytes.subarray(0, this.#metaSize));
      return undefined;
    }
    if (this.#state === "extents") return this.#acceptExtents(bytes);
    if (isZeroBlock(bytes)) {
      if (this.#zero) return "end";
      this.#zero = true;
      return undefined;
    }
    if (this.#zero) throw new TarFormatError("data follow the end marker");
    if (!checksumMatches(bytes)) throw new TarFormatError("a header's checksum is wrong");
    const flag = String.fromCharCode(bytes[156] ?? 0);
    if (flag === "x" || flag === "g" || flag === "L" || flag === "K") {
      this.#metaFlag = flag;
      this.#metaSize = parseTarNumber(bytes, 124, 12);
      if (this.#metaSize < 0 || this.#metaSize > MAX_META) throw new TarFormatError("a header is too large");
      this.#need = this.#metaSize + tarPadding(this.#metaSize);
      this.#state = "meta";
      if (this.#need === 0) this.#acceptMeta(bytes.subarray(0, 0));
      return undefined;
    }
    if (flag === "S") {
      this.#extents = [];
      this.#readExtents(bytes, 386, 4);
      if (bytes[482] !== 0) {
        this.#pending = Buffer.from(bytes);
        this.#state = "extents";
        return undefined;
      }
    }
    return this.#entry(bytes, flag);
  }

  /**
   * Called at the end of input where no end marker came, which is tolerated between entries.
   *
   * @throws TarFormatError when a header promised more
   */
  finish(): void {
    if (this.#state !== "header" || this.#pax !== NONE || this.#longName || this.#longLink) {
      throw new TarFormatError("it ends in the middle of a header");
    }
  }

  #acceptMeta(payload: Buffer): void {
    if (this.#metaFlag === "x") this.#pax = parsePax(Buffer.from(payload));
    else if (this.#metaFlag === "L") this.#longName = Buffer.from(tarText(payload, 0, payload.length));
    else if (this.#metaFlag === "K") this.#longLink = Buffer.from(tarText(payload, 0, payload.length));
    this.#state = "header";
    this.#need = TAR_BLOCK;
  }

  #acceptExtents(bytes: Buffer): TarEntry | undefined {
    this.#readExtents(bytes, 0, 21);
    if (bytes[504] !== 0) return undefined;
    this.#state = "header";
    const header = this.#pending as Buffer;
    this.#pending = undefined;
    return this.#entry(header, "S");
  }

  #readExtents(block: Buffer, start: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const at = start + i * 24;
      if (block[at] === 0) return;
      const extent = { offset: parseTarNumber(block, at, 12), length: parseTarNumber(block, at + 12, 12) };
      if (this.#extents.push(extent) > MAX_EXTENTS) throw new TarFormatError("a sparse map is too large");
    }
  }

  #entry(block: Buffer, flag: string): TarEntry {
    const pax = this.#pax;
    const nameBytes =
      paxName(pax, "GNU.sparse.name") ?? paxName(pax, "path") ?? this.#longName ?? headerName(block);
    const linkBytes = paxName(pax, "linkpath") ?? this.#longLink ?? tarText(block, 157, 100);
    this.#pax = NONE;
    this.#longName = undefined;
    this.#longLink = undefined;
    if (nameBytes.includes(0) || linkBytes.includes(0)) throw new TarFormatError("a name holds a NUL");

    let type = TYPES[flag] ?? "unknown";
    if (flag === "\0" && nameBytes.at(-1) === 0x2f) type = "directory";
    const size = paxInteger(pax, "size") ?? parseTarNumber(block, 124, 12);
    if (size < 0) throw new TarFormatError("a size is negative");
    const sparse = flag === "S" ? this.#gnuSparse(block) : paxSparse(pax);
    const xattrs = paxXattrs(pax);
    const atime = paxTime(pax, "atime") ?? gnuAccessTime(block);
    return {
      type,
      flag,
      name: nameBytes.toString("utf8"),
      ...(isUtf8(nameBytes) ? undefined : { rawName: Uint8Array.from(nameBytes) }),
      linkName: linkBytes.toString("utf8"),
      ...(isUtf8(linkBytes) ? undefined : { rawLinkName: Uint8Array.from(linkBytes) }),
      // Links, devices and directories carry no data whatever their size field says.
      size: type === "file" || type === "unknown" ? size : 0,
      mode: parseTarNumber(block, 100, 8) & 0o7777,
      uid: paxInteger(pax, "uid") ?? parseTarNumber(block, 108, 8),
      gid: paxInteger(pax, "gid") ?? parseTarNumber(block, 116, 8),
      mtime: paxTime(pax, "mtime") ?? parseTarNumber(block, 136, 12),
      ...(atime === undefined ? undefined : { atime }),
      deviceMajor: type.endsWith("device") ? parseTarNumber(block, 329, 8) : 0,
      deviceMinor: type.endsWith("device") ? parseTarNumber(block, 337, 8) : 0,
      ...(xattrs === undefined ? undefined : { xattrs }),
      ...(sparse === undefined ? undefined : { sparse }),
    };
  }

  #gnuSparse(block: Buffer): TarSparse {
    const extents = this.#extents;
    this.#extents = [];
    return { realSize: parseTarNumber(block, 483, 12), extents };
  }
}

function headerName(block: Buffer): Buffer {
  const name = tarText(block, 0, 100);
  const prefix = headerPrefix(block);
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
}

/** Only POSIX headers have one; GNU keeps times there. */
function headerPrefix(block: Buffer): Buffer {
  const magic = block.toString("latin1", 257, 265);
  if (magic.startsWith("ustar\0")) {
    const star = block.toString("latin1", 508, 512) === "tar\0";
    return tarText(block, 345, star ? 131 : 155);
  }
  // Go before 1.8 put a prefix into GNU headers all the same. No time looks like a path.
  const prefix = tarText(block, 345, 155);
  return magic === GNU_MAGIC && gnuTimes(block) === undefined && isAscii(prefix) ? prefix : NO_BYTES;
}

/** The times of access and change, NaN where they are empty; `undefined` for a field that holds no time. */
function gnuTimes(block: Buffer): readonly [number, number] | undefined {
  try {
    const [access, change] = [345, 357].map((at) =>
      block[at] === 0 ? Number.NaN : parseTarNumber(block, at, 12),
    );
    return [access ?? Number.NaN, change ?? Number.NaN];
  } catch (error) {
    if (error instanceof TarFormatError) return undefined;
    throw error;
  }
}

/** An empty record leaves to the header what it says. */
function paxName(pax: PaxRecords, key: string): Buffer | undefined {
  const name = pax.get(key);
  return name === undefined || name.length === 0 ? undefined : name;
}

function paxInteger(pax: PaxRecords, key: string): number | undefined {
  const text = pax.get(key)?.toString("latin1");
  if (text === undefined || text === "") return undefined;
  const value = /^[+-]?[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new TarFormatError(`the PAX record ${key} is not a number`);
  return value;
}

function paxTime(pax: PaxRecords, key: "mtime" | "atime"): number | undefined {
  const text = pax.get(key)?.toString("latin1");
  if (text === undefined || text === "") return undefined;
  if (!/^[+-]?[0-9]{1,16}(?:\.[0-9]*)?$/.test(text))
    throw new TarFormatError(`the PAX record ${key} is not a time`);
  return Number(text);
}

function gnuAccessTime(block: Buffer): number | undefined {
  if (block.toString("latin1", 257, 265) !== GNU_MAGIC) return undefined;
  const [access = Number.NaN] = gnuTimes(block) ?? [];
  return Number.isNaN(access) ? undefined : access;
}

function paxXattrs(pax: PaxRecords): ReadonlyMap<string, Uint8Array> | undefined {
  let xattrs: Map<string, Uint8Array> | undefined;
  for (const [key, value] of pax) {
    if (key.startsWith("SCHILY.xattr.")) (xattrs ??= new Map()).set(key.slice(13), Uint8Array.from(value));
  }
  return xattrs;
}

function paxSparse(pax: PaxRecords): TarSparse | undefined {
  const realSize = paxInteger(pax, "GNU.sparse.realsize") ?? paxInteger(pax, "GNU.sparse.size");
  if (realSize === undefined) return undefined;
  const map = pax.get("GNU.sparse.map")?.toString("latin1");
  if (map === undefined) {
    const version = pax.get("GNU.sparse.major")?.toString("latin1");
    // The old forms have no map for a file without data; the newest has its map elsewhere.
    if (version === "0") return { realSize, extents: [] };
    return version === "1" ? { realSize } : undefined;
  }
  const numbers = map.split(",").map(Number);
  if (numbers.length % 2 !== 0 || numbers.some((n) => !Number.isSafeInteger(n) || n < 0)) {
    throw new TarFormatError("a sparse map is malformed");
  }
  const extents: TarExtent[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    extents.push({ offset: numbers[i] ?? 0, length: numbers[i + 1] ?? 0 });
  }
  return { realSize, extents };
}
