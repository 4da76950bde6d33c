/**
 * What goes into a layer, before any of it is read: the files of the context at their places in the image.
 *
 * Names are kept as *byte strings*, one character for each byte, because file names needn't be text and have to be
 * sorted by their bytes.
 */
import type { BigIntStats } from "node:fs";
import { lstat, readdir, readlink, realpath } from "node:fs/promises";
import { isAbsolute, join, posix, relative, sep } from "node:path";

import type { SignalOptions } from "../oci/index.ts";
import { BuildError, contextError } from "./errors.ts";
import type { IgnoreRules } from "./ignore.ts";

/** One rule of what goes where. */
export interface CopyRule {
  /** Path in the context, the whole context by default. Of a folder, the contents are taken. */
  readonly from?: string | undefined;
  /** Path in the image, `/` by default. A file keeps its name when this ends with a slash. */
  readonly to?: string | undefined;
}

/** Something that was left out. */
export interface BuildWarning {
  readonly code: "SPECIAL_FILE_SKIPPED";
  /** Path in the context. */
  readonly path: string;
  readonly message: string;
}

export interface FileNode {
  readonly type: "file";
  readonly path: Buffer;
  readonly executable: boolean;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** The same text for all hard links to one file. */
  readonly inode: string | undefined;
}

export interface LinkNode {
  readonly type: "symlink";
  readonly target: Buffer;
  readonly uid: number;
  readonly gid: number;
}

export interface FolderNode {
  readonly type: "directory";
  /** By byte string. */
  readonly children: Map<string, TreeNode>;
  /** Absent for folders that only lead to others. */
  mode?: number;
  uid?: number;
  gid?: number;
  /** What the base has there; it stays so. */
  base?: { readonly mode: number; readonly uid: number; readonly gid: number };
}

export type TreeNode = FileNode | LinkNode | FolderNode;

export interface GatherOptions extends SignalOptions {
  readonly rules: readonly CopyRule[];
  readonly ignore?: IgnoreRules | undefined;
}

const SPECIAL = [
  ["socket", (stat: BigIntStats) => stat.isSocket()],
  ["pipe", (stat: BigIntStats) => stat.isFIFO()],
  ["device", (stat: BigIntStats) => stat.isBlockDevice() || stat.isCharacterDevice()],
] as const;

/** How many `lstat` calls are in flight at once. */
const BATCH = 64;

/**
 * Collects what the rules name.
 *
 * @throws BuildError `CONTEXT_UNKNOWN`, `CONTEXT_UNREADABLE`, `COPY_INVALID`
 */
export async function gatherFiles(
  context: string,
  options: GatherOptions,
): Promise<{ readonly root: FolderNode; readonly warnings: readonly BuildWarning[] }> {
  const gatherer = new Gatherer(context, options);
  for (const rule of options.rules) await gatherer.apply(rule);
  return { root: gatherer.root, warnings: gatherer.warnings };
}

class Gatherer {
  readonly root: FolderNode = { type: "directory", children: new Map() };
  readonly warnings: BuildWarning[] = [];
  readonly #context: string;
  readonly #options: GatherOptions;

  constructor(context: string, options: GatherOptions) {
    this.#context = context;
    this.#options = options;
  }

  async apply(rule: CopyRule): Promise<void> {
    const to = imagePath(rule.to ?? "/");
    const { path, inside } = await this.#locate(rule.from ?? ".");
    const stat = await this.#stat(Buffer.from(path));
    if (stat.isDirectory()) {
      await this.#addFolder(Buffer.from(path), inside, this.#folder(to));
      return;
    }
    const intoFolder = to.length === 0 || (rule.to ?? "/").endsWith("/");
    const parent = intoFolder ? to : to.slice(0, -1);
    const name = intoFolder ? bytesOf(posix.basename(inside)) : (to.at(-1) as string);
    await this.#add(this.#folder(parent), name, Buffer.from(path), inside, stat);
  }

  /** The real place of a rule's `from`, which must not leave the context, not even over a symbolic link. */
  async #locate(from: string): Promise<{ path: string; inside: string }> {
    const quoted = JSON.stringify(from);
    const inside = posix.normalize(from.replaceAll(sep, "/")).replace(/\/$/, "");
    if (
      from === "" ||
      from.includes("\0") ||
      isAbsolute(from) ||
      inside === ".." ||
      inside.startsWith("../")
    ) {
      throw new BuildError(
        "COPY_INVALID",
        `Cannot copy ${quoted}: it should be a path inside the context folder`,
      );
    }
    const path = join(this.#context, inside);
    try {
      const root = await realpath(this.#context);
      const folder = inside === "." ? root : await realpath(join(path, ".."));
      const way = relative(root, folder);
      if (way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way)) {
        throw new BuildError(
          "COPY_INVALID",
          `Cannot copy ${quoted}: a symbolic link leads outside the context folder`,
        );
      }
      return { path: inside === "." ? root : path, inside };
    } catch (error) {
      throw contextError(error, path);
    }
  }

  async #addFolder(path: Buffer, inside: string, folder: FolderNode): Promise<void> {
    this.#options.signal?.throwIfAborted();
    let names: Buffer[];
    try {
      names = await readdir(path, { encoding: "buffer" });
    } catch (error) {
      throw contextError(error, path.toString());
    }
    for (let start = 0; start < names.length; start += BATCH) {
      const batch = names.slice(start, start + BATCH).map(async (name) => {
        const child = Buffer.concat([path, Buffer.from(sep), name]);
        return { name, child, stat: await this.#stat(child) };
      });
      for (const { name, child, stat } of await Promise.all(batch)) {
        const childInside = inside === "." ? name.toString() : `${inside}/${name.toString()}`;
        await this.#add(folder, name.toString("latin1"), child, childInside, stat);
      }
    }
  }

  async #add(
    parent: FolderNode,
    name: string,
    path: Buffer,
    inside: string,
    stat: BigIntStats,
  ): Promise<void> {
    const { ignore } = this.#options;
    const excluded = ignore?.excludes(inside) === true;
    const uid = Number(stat.uid);
    const gid = Number(stat.gid);
    const mode = Number(stat.mode) & 0o7777;
    if (stat.isDirectory()) {
      if (excluded && ignore?.reincludes !== true) return;
      const folder = enter(parent, name, inside);
      if (!excluded) Object.assign(folder, { mode, uid, gid });
      await this.#addFolder(path, inside, folder);
      if (excluded && folder.children.size === 0 && folder.mode === undefined) parent.children.delete(name);
      return;
    }
    if (excluded) return;
    if (parent.children.get(name)?.type === "directory") throw clash(inside);
    if (stat.isSymbolicLink()) {
      const target = await readlink(path, { encoding: "buffer" });
      parent.children.set(name, { type: "symlink", target, uid, gid });
    } else if (stat.isFile()) {
      const inode = stat.nlink > 1n ? `${stat.dev}:${stat.ino}` : undefined;
      parent.children.set(name, {
        type: "file",
        path,
        executable: (mode & 0o100) !== 0,
        mode,
        uid,
        gid,
        inode,
      });
    } else {
      const kind = SPECIAL.find(([, is]) => is(stat))?.[0] ?? "special file";
      const message = `Skipped ${JSON.stringify(inside)}: a ${kind} cannot be part of a layer`;
      this.warnings.push({ code: "SPECIAL_FILE_SKIPPED", path: inside, message });
    }
  }

  #folder(names: readonly string[]): FolderNode {
    let folder = this.root;
    for (const name of names) folder = enter(folder, name, names.join("/"));
    return folder;
  }

  async #stat(path: Buffer): Promise<BigIntStats> {
    try {
      return await lstat(path, { bigint: true });
    } catch (error) {
      throw contextError(error, path.toString());
    }
  }
}

function enter(parent: FolderNode, name: string, path: string): FolderNode {
  const found = parent.children.get(name);
  if (found?.type === "directory") return found;
  if (found !== undefined) throw clash(path);
  const folder: FolderNode = { type: "directory", children: new Map() };
  parent.children.set(name, folder);
  return folder;
}

function clash(path: string): BuildError {
  return new BuildError(
    "COPY_INVALID",
    `Cannot copy ${JSON.stringify(path)}: it is a folder by one rule and a file by another`,
  );
}

/** `/a//b/` → `["a", "b"]`, as byte strings. */
function imagePath(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (!path.startsWith("/") || path.includes("\0") || names.includes("..")) {
    throw new BuildError(
      "COPY_INVALID",
      `Cannot copy to ${JSON.stringify(path)}: it should be an absolute path in the image`,
    );
  }
  return names.map(bytesOf);
}

function bytesOf(text: string): string {
  return Buffer.from(text).toString("latin1");
}
