import { chmodSync, chownSync, constants, copyFileSync, lchownSync, lstatSync, readlinkSync } from "node:fs";
import { lutimesSync, readdirSync, type Stats, symlinkSync } from "node:fs";

import type { AttributeHelper } from "./attribute-helper.ts";
import { type Folder, FolderTree, partsOf } from "./folder-tree.ts";

export interface LowerFoldersOptions {
  readonly depth: number;
  /** The attribute of a folder in which nothing of the layers below shows. */
  readonly opaqueKey: string;
  /** Whether owners can be given. */
  readonly owners: boolean;
  readonly helper: () => AttributeHelper | undefined;
}

interface Found {
  readonly tree: FolderTree;
  readonly folder: Folder;
  readonly name: string;
  readonly stat: Stats;
}

/**
 * Lower layers that lie in folders of their own, as overlayfs stacks them. What a layer only passes through, or links
 * to, is brought up from there; nothing in them is ever changed.
 *
 * Whether a folder hides those below is an attribute, which can't be read at once: a look goes on as if it didn't, notes
 * the question, and is taken again when that is answered.
 */
export class LowerFolders {
  readonly #trees: readonly FolderTree[];
  readonly #options: LowerFoldersOptions;
  /** Whether nothing from below shows in a folder. */
  readonly #opaque = new Map<Folder, boolean>();
  readonly #asked = new Map<Folder, FolderTree>();

  /** `folders`: the uppermost first. */
  constructor(folders: readonly string[], options: LowerFoldersOptions) {
    // As if privileged: that keeps the trees from opening up folders that aren't ours to change.
    this.#trees = folders.map((path) => new FolderTree(path, { depth: options.depth, privileged: true }));
    this.#options = options;
  }

  /** What a look brings that may lead through here, when it knows all that it has to. It has no effects. */
  async settled<T>(look: () => T): Promise<T> {
    for (;;) {
      try {
        const result = look();
        if (this.#asked.size === 0) return result;
      } catch (error) {
        if (this.#asked.size === 0) throw error;
      }
      for (const [folder, tree] of this.#asked) this.#opaque.set(folder, await this.#isOpaque(tree, folder));
      this.#asked.clear();
    }
  }

  /** Whether anything shows through there. */
  async has(path: readonly string[]): Promise<boolean> {
    return (await this.settled(() => this.#find(path))) !== undefined;
  }

  /** What may show through in the root. */
  rootNames(): ReadonlySet<string> {
    const names = new Set<string>();
    for (const tree of this.#trees) {
      for (const bytes of readdirSync(tree.self(tree.root), "buffer")) names.add(bytes.toString("latin1"));
    }
    return names;
  }

  /** The text of a link that shows through from below; to be asked in a {@link settled} look. */
  link(path: readonly string[]): string | undefined {
    const found = this.#find(path);
    if (found?.stat.isSymbolicLink() !== true) return undefined;
    return readlinkSync(found.tree.at(found.folder, found.name), "buffer").toString("latin1");
  }

  /** Gives a folder that was just made the owner, mode and attributes it has below. */
  async copyFolder(upper: FolderTree, parent: Folder, name: string): Promise<void> {
    const found = await this.settled(() => this.#find([...partsOf(parent), name]));
    if (found?.stat.isDirectory() !== true) return;
    const folder = upper.add(parent, name);
    if (this.#options.owners) chownSync(upper.self(folder), found.stat.uid, found.stat.gid);
    await this.#copyXattrs(found, upper, parent, name);
    upper.setMode(folder, found.stat.mode & 0o7777);
    folder.times = { atime: found.stat.atimeMs / 1000, mtime: found.stat.mtimeMs / 1000 };
  }

  /** Brings a file or link up that is about to get another name, if it is only below. */
  async copyUp(upper: FolderTree, path: readonly string[]): Promise<void> {
    const found = await this.settled(() => this.#find(path));
    if (found === undefined || !(found.stat.isFile() || found.stat.isSymbolicLink())) return;
    const parent = upper.find(path.slice(0, -1));
    if (parent === undefined) return;
    const target = (): string | Buffer => upper.at(parent, found.name);
    if (lstatSync(target(), { throwIfNoEntry: false }) !== undefined) return;
    const source = found.tree.at(found.folder, found.name);
    const { uid, gid, mode, atimeMs, mtimeMs } = found.stat;
    if (found.stat.isSymbolicLink()) symlinkSync(readlinkSync(source, "buffer"), target());
    else copyFileSync(source, target(), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    if (this.#options.owners) lchownSync(target(), uid, gid);
    await this.#copyXattrs(found, upper, parent, found.name);
    if (found.stat.isFile()) chmodSync(target(), mode & 0o7777);
    lutimesSync(target(), atimeMs / 1000, mtimeMs / 1000);
  }

  close(): void {
    for (const tree of this.#trees) tree.close();
  }

  /** In the uppermost layer that has it, unless one above hides it. */
  #find(path: readonly string[]): Found | undefined {
    const name = path.at(-1);
    if (name === undefined) return undefined;
    for (const tree of this.#trees) {
      let folder = tree.root;
      let hides = false;
      for (let length = 1; length < path.length; length++) {
        const inner = tree.find(path.slice(0, length));
        if (inner === undefined) break;
        folder = inner;
        hides ||= this.#hides(tree, folder);
      }
      const stat = statOf(tree, folder, path[folder.depth] ?? name);
      if (folder.depth === path.length - 1) {
        if (isHidden(stat)) return undefined;
        if (stat !== undefined) return { tree, folder, name, stat };
      }
      // Opaque, a sign, or something else that took the folder's place.
      if (hides || stat !== undefined) return undefined;
    }
    return undefined;
  }

  #hides(tree: FolderTree, folder: Folder): boolean {
    // There is nothing that the lowest could hide.
    if (tree === this.#trees.at(-1)) return false;
    const known = this.#opaque.get(folder);
    if (known === undefined) this.#asked.set(folder, tree);
    return known === true;
  }

  async #isOpaque(tree: FolderTree, { parent, name }: Folder): Promise<boolean> {
    const helper = this.#options.helper();
    if (parent === undefined || helper === undefined) return false;
    const value = await helper.getXattr(tree.atFromOutside(parent, name), this.#options.opaqueKey);
    return typeof value !== "string" && Buffer.from(value).toString() === "y";
  }

  async #copyXattrs(found: Found, upper: FolderTree, parent: Folder, name: string): Promise<void> {
    const helper = this.#options.helper();
    if (helper === undefined) return;
    const from = found.tree.atFromOutside(found.folder, found.name);
    for (const key of await helper.listXattrs(from)) {
      // Signs are the lower layer's own.
      if (key.startsWith("trusted.") || key.startsWith("user.overlay.")) continue;
      const value = await helper.getXattr(from, key);
      // What can't be carried over was no part of any layer.
      if (typeof value !== "string") await helper.setXattr(upper.atFromOutside(parent, name), key, value);
    }
  }
}

function statOf(tree: FolderTree, folder: Folder, name: string): Stats | undefined {
  return lstatSync(tree.at(folder, name), { throwIfNoEntry: false });
}

/** Overlayfs' sign for a name that a layer removes. */
function isHidden(stat: Stats | undefined): boolean {
  return stat?.isCharacterDevice() === true && stat.rdev === 0;
}
