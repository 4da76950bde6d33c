/**
 * One tar header block, and the PAX records that may precede it.
 *
 * Reads v7, ustar, star, PAX and GNU forms; writes ustar, with PAX records where ustar has no room. Bytes are
 * decided here alone, because the digest of every layer dray builds depends on them.
 */

export const TAR_BLOCK = 512;

export type TarEntryType =
  | "file"
  | "link"
  | "symlink"
  | "character-device"
  | "block-device"
  | "directory"
  | "fifo"
  /** A type flag nobody here knows; readers refuse it or pass over its data. */
  | "unknown";

/** A stretch of real data inside a sparse file; everything between stretches is zero. */
export interface TarExtent {
  readonly offset: number;
  readonly length: number;
}

/** What a sparse file looks like once expanded. */
export interface TarSparse {
  readonly realSize: number;
  /** Absent for PAX format 1.0, which keeps the map in front of the data. */
  readonly extents?: readonly TarExtent[];
}

export interface TarEntry {
  readonly type: TarEntryType;
  /** The type flag as a character; useful only for messages about `unknown`. */
  readonly flag: string;
  /** As written, trailing slash included; undecodable bytes show as U+FFFD, and {@link rawName} has them. */
  readonly name: string;
  /** The bytes of a name that is not UTF-8. */
  readonly rawName?: Uint8Array;
  readonly linkName: string;
  readonly rawLinkName?: Uint8Array;
  /** Bytes of data that follow, without padding; 0 for types that carry none. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch, with fraction where PAX gave one. */
  readonly mtime: number;
  /** Like `mtime`; only where the tar says it, as PAX and GNU's own format can. */
  readonly atime?: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** From `SCHILY.xattr.*`. */
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
  readonly sparse?: TarSparse;
}

/** Why a tar can't be read; rooms wrap it in their own error. */
export class TarFormatError extends Error {
  override readonly name: string = "TarFormatError";
}

/** Records of a PAX header by keyword; values are raw bytes because they may hold anything. */
export type PaxRecords = ReadonlyMap<string, Buffer>;

export function isZeroBlock(block: Buffer): boolean {
  for (let i = 0; i < TAR_BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

/** Bytes of padding after `size` bytes of data. */
export function tarPadding(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/**
 * Reads `length key=value\n` records.
 *
 * @throws TarFormatError
 */
export function parsePax(payload: Buffer): PaxRecords {
  const records = new Map<string, Buffer>();
  let at = 0;
  while (at < payload.length) {
    // Padding some writers count into the payload.
    if (payload[at] === 0) break;
    const space = payload.indexOf(0x20, at);
    const digits = space < 0 ? "" : payload.toString("latin1", at, space);
    const length = /^[0-9]{1,10}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = payload.indexOf(0x3d, space);
    if (length < 5 || end > payload.length || payload[end - 1] !== 0x0a || equals < 0 || equals >= end) {
      throw new TarFormatError("a PAX record is malformed");
    }
    const key = payload.toString("utf8", space + 1, equals);
    if (key === "") throw new TarFormatError("a PAX record has no keyword");
    const value = payload.subarray(equals + 1, end - 1);
    // Sparse format 0.0 repeats these two keywords: the map is their sequence.
    if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") {
      const map = records.get("GNU.sparse.map");
      const joined = map === undefined ? value : Buffer.concat([map, Buffer.from(","), value]);
      records.set("GNU.sparse.map", joined);
    } else {
      records.set(key, value);
    }
    at = end;
  }
  return records;
}

/** A number field: octal digits between blanks, or base-256 when the top bit is set. */
export function parseTarNumber(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = BigInt(first & 0x40 ? first - 0x100 : first & 0x7f);
    for (let i = 1; i < length; i++) value = value * 256n + BigInt(block[offset + i] ?? 0);
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new TarFormatError("a number field is out of range");
    return number;
  }
  let at = offset;
  let end = offset + length;
  while (at < end && (block[at] === 0x20 || block[at] === 0)) at++;
  while (end > at && (block[end - 1] === 0x20 || block[end - 1] === 0)) end--;
  let value = 0;
  for (; at < end; at++) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) {
      // Some writers leave rubbish after the terminating NUL.
      if (block[at] === 0) break;
      throw new TarFormatError("a number field is not octal");
    }
    value = value * 8 + digit;
  }
  return value;
}

/** The bytes of a text field up to its NUL. */
export function tarText(block: Buffer, offset: number, length: number): Buffer {
  const nul = block.indexOf(0, offset);
  return block.subarray(offset, nul < 0 || nul > offset + length ? offset + length : nul);
}

/** Signed sums come from old implementations whose `char` had a sign. */
export function checksumMatches(block: Buffer): boolean {
  const stored = parseTarNumber(block, 148, 8);
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < TAR_BLOCK; i++) {
    const byte = i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return stored === unsigned || stored === signed;
}
