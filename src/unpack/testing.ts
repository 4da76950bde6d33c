/** Layers for tests, byte by byte: also those that no decent program would write. And folders, described. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

import { memoryStream, type ContentStream } from "../oci/index.ts";

export interface TestEntry {
  /** A type flag; a regular file's by default. */
  readonly flag?: string;
  readonly name: string | Uint8Array;
  readonly linkName?: string | Uint8Array;
  readonly content?: string | Uint8Array;
  /** Instead of the content's length. */
  readonly size?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly major?: number;
  readonly minor?: number;
  /** Records of a PAX header in front. */
  readonly pax?: Readonly<Record<string, string | Uint8Array>>;
  /** Puts more into the header before its checksum is made. */
  readonly patch?: (header: Buffer) => void;
}

export function makeTar(entries: readonly TestEntry[]): Buffer {
  return Buffer.concat([...entries.map(encodeEntry), Buffer.alloc(1024)]);
}

export function streamOf(bytes: Uint8Array): ContentStream {
  return memoryStream(bytes);
}

export interface DescribeOptions {
  /** Whether times count, to the second; those of folders change with what is in them. */
  readonly times?: boolean;
}

/** Everything in a folder, a line each: what two folders have in common when they are the same. */
export function describeFolder(root: string, { times = false }: DescribeOptions = {}): readonly string[] {
  const inodes = new Map<bigint, string>();
  const describe = (folder: Buffer, prefix: string): string[] => {
    const names = readdirSync(folder, "buffer").sort((a, b) => a.compare(b));
    return names.flatMap((name) => {
      const path = Buffer.concat([folder, Buffer.from("/"), name]);
      const stat = lstatSync(path, { bigint: true });
      const label = `${prefix}/${name.toString("latin1")}`;
      const first = inodes.get(stat.ino) ?? label;
      inodes.set(stat.ino, first);
      const content = stat.isFile()
        ? readFileSync(path).toString("latin1")
        : stat.isSymbolicLink()
          ? readlinkSync(path, "buffer").toString("latin1")
          : String(stat.rdev);
      const facts = [stat.mode.toString(8), stat.uid, stat.gid, stat.isDirectory() ? "" : first, content];
      const line = JSON.stringify([
        label,
        ...facts.map(String),
        ...(times ? [String(stat.mtimeMs / 1000n)] : []),
      ]);
      return stat.isDirectory() ? [line, ...describe(path, label)] : [line];
    });
  };
  return describe(Buffer.from(root), "");
}

function encodeEntry(entry: TestEntry): Buffer {
  const pax = { ...entry.pax };
  const name = Buffer.from(entry.name);
  const link = Buffer.from(entry.linkName ?? "");
  const isPax = entry.flag === "x" || entry.flag === "g";
  if (name.length > 100) pax["path"] = name;
  if (link.length > 100) pax["linkpath"] = link;
  const records = Buffer.concat(
    Object.entries(pax).map(([key, value]) => encodeRecord(key, Buffer.from(value))),
  );
  if (isPax) return Buffer.concat([encodeHeader(entry, records.length), padded(records)]);
  const content = Buffer.from(entry.content ?? "");
  const own = [encodeHeader(entry, entry.size ?? content.length), padded(content)];
  if (records.length === 0) return Buffer.concat(own);
  const front = encodeHeader({ flag: "x", name: "pax" }, records.length);
  return Buffer.concat([front, padded(records), ...own]);
}

function encodeHeader(entry: TestEntry, size: number): Buffer {
  const block = Buffer.alloc(512);
  Buffer.from(entry.name).copy(block, 0, 0, 100);
  Buffer.from(entry.linkName ?? "").copy(block, 157, 0, 100);
  writeNumber(block, 100, 8, entry.mode ?? 0o644);
  writeNumber(block, 108, 8, entry.uid ?? 0);
  writeNumber(block, 116, 8, entry.gid ?? 0);
  writeNumber(block, 124, 12, size);
  writeNumber(block, 136, 12, entry.mtime ?? 0);
  block.write(entry.flag ?? "0", 156, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  writeNumber(block, 329, 8, entry.major ?? 0);
  writeNumber(block, 337, 8, entry.minor ?? 0);
  entry.patch?.(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** Octal, or base-256 for what has no octal form. */
function writeNumber(block: Buffer, offset: number, length: number, value: number): void {
  if (value >= 0 && value < 8 ** (length - 1)) {
    block.write(value.toString(8).padStart(length - 1, "0"), offset, "latin1");
    return;
  }
  let rest = BigInt(value);
  for (let i = length - 1; i >= 0; i--) {
    block[offset + i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[offset] = (block[offset] ?? 0) | 0x80;
}

function encodeRecord(key: string, value: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}
