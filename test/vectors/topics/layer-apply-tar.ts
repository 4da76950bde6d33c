import { gunzipSync } from "node:zlib";

import { TarDecoder } from "../../../src/internal/tar-decoder.ts";
import type { TarEntryType } from "../../../src/internal/tar-header.ts";
import { makeTar, type TestEntry } from "../../../src/unpack/testing.ts";

/** An entry as the vectors write it. */
export interface VectorEntry {
  readonly type: string;
  readonly name: string;
  readonly linkname?: string;
  readonly mode?: string;
  readonly content?: string;
  readonly contentHex?: string;
  readonly typeflag?: string;
  readonly devmajor?: number;
  readonly devminor?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: string | number;
  readonly pax?: Readonly<Record<string, string>>;
}

const FLAGS: Readonly<Record<string, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  char: "3",
  block: "4",
  dir: "5",
  fifo: "6",
  xglobal: "g",
};

/** The case's own archive where it has one, else a tar of its entries. */
export function makeArchive(entries: readonly VectorEntry[], archiveHex: unknown): Buffer {
  if (typeof archiveHex === "string") return gunzipSync(Buffer.from(archiveHex, "hex"));
  return makeTar(entries.map(toEntry));
}

function toEntry(entry: VectorEntry): TestEntry {
  const { name, linkname, content, contentHex, pax } = entry;
  const flag = entry.typeflag ?? FLAGS[entry.type];
  if (flag === undefined) throw new TypeError(`No type flag for an entry of type ${entry.type}`);
  const mtime = typeof entry.mtime === "string" ? Date.parse(entry.mtime) / 1000 : (entry.mtime ?? 0);
  return {
    flag,
    name,
    mode: Number.parseInt(entry.mode ?? "644", 8),
    // As if the vectors' own user had made it: only root can give files away.
    uid: entry.uid ?? process.geteuid?.() ?? 0,
    gid: entry.gid ?? process.getegid?.() ?? 0,
    mtime,
    content: contentHex === undefined ? (content ?? "") : Buffer.from(contentHex, "hex"),
    ...(linkname !== undefined && { linkName: linkname }),
    ...(entry.devmajor !== undefined && { major: entry.devmajor }),
    ...(entry.devminor !== undefined && { minor: entry.devminor }),
    ...(pax !== undefined && { pax }),
  };
}

const NAMES: Readonly<Record<TarEntryType, string>> = {
  file: "file",
  link: "hardlink",
  symlink: "symlink",
  "character-device": "char",
  "block-device": "block",
  directory: "dir",
  fifo: "fifo",
  unknown: "unknown",
};

/** What a tar holds, in order. */
export async function listArchive(tar: Uint8Array): Promise<VectorEntry[]> {
  const entries: { -readonly [K in keyof VectorEntry]: VectorEntry[K] }[] = [];
  const decoder = new TarDecoder({
    entry({ type, name, linkName, mode, mtime }) {
      entries.push({
        type: NAMES[type],
        name,
        linkname: linkName,
        mode: mode.toString(8).padStart(4, "0"),
        mtime: new Date(mtime * 1000).toISOString().replace(".000Z", "Z"),
        content: "",
      });
    },
    data(chunk) {
      const last = entries.at(-1);
      if (last !== undefined) last.content += Buffer.from(chunk).toString();
    },
  });
  await decoder.write(tar);
  decoder.end();
  return entries;
}
