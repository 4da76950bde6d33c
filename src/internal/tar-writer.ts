import { isAscii, isUtf8 } from "node:buffer";

import { TAR_BLOCK, type TarEntryType, tarPadding } from "./tar-header.ts";

export interface TarWriteEntry {
  readonly type: Exclude<TarEntryType, "unknown">;
  /** Relative, without leading slash. Bytes for names that need not be UTF-8. A directory's slash is added. */
  readonly name: string | Uint8Array;
  readonly linkName?: string | Uint8Array;
  /** Bytes of data that the caller writes next, followed by {@link tarEntryPadding}. */
  readonly size?: number;
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Whole seconds since the epoch. */
  readonly mtime?: number;
  /** Of devices; at most seven octal digits each. */
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

const FLAGS = {
  file: "0",
  link: "1",
  symlink: "2",
  "character-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
} as const;
const MAX_ID = 0o7777777;
const MAX_SIZE = 0o77777777777;
const SLASH = 0x2f;

/** Two zero blocks. */
export const TAR_END: Uint8Array = new Uint8Array(2 * TAR_BLOCK);

const ZEROS = new Uint8Array(TAR_BLOCK);

/** The zeros that follow `size` bytes of data. */
export function tarEntryPadding(size: number): Uint8Array {
  return ZEROS.subarray(0, tarPadding(size));
}

/**
 * The header of one entry: a ustar block, after a PAX header if a value doesn't fit or isn't ASCII. Equal entries
 * give equal bytes, on any machine.
 */
export function encodeTarHeader(entry: TarWriteEntry): Buffer {
  return encode(entry, false);
}

/**
 * The header of a file whose size is known only after its data were written: it always takes one block, so that room
 * for it can be left. Sizes beyond 8 GiB are written in base-256, which GNU tar, Go and libarchive read.
 *
 * @throws RangeError for a name that doesn't fit in one block
 */
export function encodeTarHeaderBlock(entry: TarWriteEntry): Buffer {
  const block = encode(entry, true);
  if (block.length === TAR_BLOCK) return block;
  throw new RangeError(`the tar header of ${JSON.stringify(String(entry.name))} takes more than one block`);
}

function encode(entry: TarWriteEntry, oneBlock: boolean): Buffer {
  const name = nameBytes(entry);
  const link = entry.linkName === undefined ? Buffer.alloc(0) : Buffer.from(entry.linkName);
  const size = entry.type === "file" ? (entry.size ?? 0) : 0;
  const uid = entry.uid ?? 0;
  const gid = entry.gid ?? 0;
  const mtime = entry.mtime ?? 0;

  const records: Buffer[] = [];
  const split = splitName(name);
  // PAX records are UTF-8. Bytes that aren't stay in the header as they are, where every reader takes them so.
  const longName = split === undefined || (!isAscii(name) && isUtf8(name));
  const longLink = link.length > 100 || (!isAscii(link) && isUtf8(link));
  if (longName) records.push(paxRecord("path", name));
  if (longLink) records.push(paxRecord("linkpath", link));
  if (size > MAX_SIZE && !oneBlock) records.push(paxRecord("size", Buffer.from(String(size))));
  if (uid > MAX_ID) records.push(paxRecord("uid", Buffer.from(String(uid))));
  if (gid > MAX_ID) records.push(paxRecord("gid", Buffer.from(String(gid))));
  if (mtime < 0 || mtime > MAX_SIZE) records.push(paxRecord("mtime", Buffer.from(String(mtime))));
  for (const [key, value] of [...(entry.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
    records.push(paxRecord(`SCHILY.xattr.${key}`, Buffer.from(value)));
  }

  const { prefix, rest } = split ?? { prefix: name.subarray(0, 0), rest: name };
  const block = ustarBlock({
    flag: FLAGS[entry.type],
    name: asciiStandIn(rest),
    prefix: asciiStandIn(prefix),
    link: asciiStandIn(link),
    size: size > MAX_SIZE && !oneBlock ? 0 : size,
    mode: entry.mode & 0o7777,
    uid: uid > MAX_ID ? 0 : uid,
    gid: gid > MAX_ID ? 0 : gid,
    mtime: mtime < 0 || mtime > MAX_SIZE ? 0 : mtime,
    deviceMajor: entry.deviceMajor ?? 0,
    deviceMinor: entry.deviceMinor ?? 0,
  });
  if (records.length === 0) return block;

  const payload = Buffer.concat(records);
  const header = ustarBlock({
    flag: "x",
    name: Buffer.from("PaxHeaders.0/entry"),
    prefix: Buffer.alloc(0),
    link: Buffer.alloc(0),
    size: payload.length,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
    deviceMajor: 0,
    deviceMinor: 0,
  });
  return Buffer.concat([header, payload, tarEntryPadding(payload.length), block]);
}

interface UstarFields {
  readonly flag: string;
  readonly name: Buffer;
  readonly prefix: Buffer;
  readonly link: Buffer;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

function ustarBlock(fields: UstarFields): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  fields.name.copy(block, 0, 0, 100);
  octal(block, 100, 8, fields.mode);
  octal(block, 108, 8, fields.uid);
  octal(block, 116, 8, fields.gid);
  if (fields.size > MAX_SIZE) {
    block.writeBigUInt64BE(BigInt(fields.size), 128);
    block[124] = 0x80;
  } else octal(block, 124, 12, fields.size);
  octal(block, 136, 12, fields.mtime);
  block.fill(0x20, 148, 156);
  block.write(fields.flag, 156, "latin1");
  fields.link.copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257, "latin1");
  octal(block, 329, 8, fields.deviceMajor);
  octal(block, 337, 8, fields.deviceMinor);
  fields.prefix.copy(block, 345, 0, 155);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function octal(block: Buffer, offset: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, "0"), offset, "latin1");
}

function nameBytes(entry: TarWriteEntry): Buffer {
  const name = Buffer.from(entry.name);
  if (entry.type !== "directory" || name.at(-1) === SLASH) return name;
  return Buffer.concat([name, Buffer.from("/")]);
}

/** Cuts a name at a slash so that both parts fit ustar's fields; `undefined` when no slash does. */
function splitName(name: Buffer): { readonly prefix: Buffer; readonly rest: Buffer } | undefined {
  if (name.length <= 100) return { prefix: name.subarray(0, 0), rest: name };
  // The slash of a directory's own name must not be the cut: the rest would be empty.
  const cut = name.lastIndexOf(SLASH, Math.min(155, name.length - 2));
  if (cut <= 0 || name.length - cut - 1 > 100) return undefined;
  return { prefix: name.subarray(0, cut), rest: name.subarray(cut + 1) };
}

/** What a reader without PAX gets to see of UTF-8: `?` for every byte ustar can't promise. */
function asciiStandIn(text: Buffer): Buffer {
  if (isAscii(text) || !isUtf8(text)) return text;
  return Buffer.from(text.map((byte) => (byte < 0x80 ? byte : 0x3f)));
}

function paxRecord(key: string, value: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  // The length counts its own digits.
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}
