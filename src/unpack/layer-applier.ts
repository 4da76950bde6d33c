/**
 * Applies the entries of layers to a folder, in order, by the rules of the image spec and of containerd where that is
 * stricter:
 *
 * ```text
 * name ─► cleaned by its text ─► folder: followed inside the root ─► last component: never followed
 *                                                                        │
 *   marker of a removal? ◄───────────────────────────────────────────────┤
 *   a folder for a folder? it is kept, and gets the new metadata ◄───────┤
 *   anything else there? it is removed first ◄───────────────────────────┘
 *   created ─► owner ─► attributes ─► mode ─► times      in this order: a new owner takes setuid bits away, and
 *                                                        both a new owner and new bytes take capabilities away
 * ```
 */
import { type TarEntry, TarFormatError } from "../internal/tar-header.ts";
import type { TarHandler } from "../internal/tar-decoder.ts";
import type { AttributeHelper } from "./attribute-helper.ts";
import { cleanName, toByteString } from "./byte-path.ts";
import { EntryWriter } from "./entry-writer.ts";
import { fileError, UnpackError } from "./errors.ts";
import { FileWriter } from "./file-writer.ts";
import { type Folder, type FolderTree, type Hidden, partsOf, type Place } from "./folder-tree.ts";
import type { LowerFolders } from "./lower-folders.ts";
import type { LeftOutList } from "./left-out.ts";
import type { LimitGuard } from "./limits.ts";
import { OverlaySigns } from "./overlay-signs.ts";
import type { Powers } from "./ownership.ts";
import { parseWhiteout } from "./whiteout.ts";
import { WhiteoutWriter, type WhiteoutForm } from "./whiteout-writer.ts";

export interface LayerApplierOptions {
  readonly tree: FolderTree;
  readonly limits: LimitGuard;
  readonly powers: Powers;
  /** Whether entries get the owners they name. */
  readonly sameOwner: boolean;
  readonly leftOut: LeftOutList;
  readonly helper: () => AttributeHelper | undefined;
  /** Lower layers in folders of their own, where they aren't in the tree. */
  readonly lower?: LowerFolders | undefined;
  readonly whiteouts: WhiteoutForm;
  /** Whether writing may hold up this thread. */
  readonly blocking: boolean;
}

export class LayerApplier implements TarHandler {
  readonly #tree: FolderTree;
  readonly #options: LayerApplierOptions;
  readonly #writer: EntryWriter;
  readonly #signs: OverlaySigns | undefined;
  readonly #whiteouts: WhiteoutWriter;
  #file: FileWriter | undefined;
  #fileName = "";

  constructor(options: LayerApplierOptions) {
    this.#tree = options.tree;
    this.#options = options;
    this.#writer = new EntryWriter(options);
    this.#signs = options.whiteouts === "overlay" ? new OverlaySigns(options, this.#writer) : undefined;
    this.#whiteouts = new WhiteoutWriter(options, this.#signs);
  }

  /** What of lower layers doesn't show any more, where they aren't in the tree. */
  get hidden(): Hidden | undefined {
    return this.#signs;
  }

  /**
   * @throws UnpackError
   */
  async entry(entry: TarEntry): Promise<void> {
    // What the last entry's file was for is over: data of an entry that makes no file go nowhere.
    this.#file = undefined;
    const name = toByteString(entry.name, entry.rawName);
    const parts = cleanName(name);
    try {
      this.#checkEntry(entry, name, parts);
      const base = parts.pop();
      // The root itself is the caller's, whatever a layer says about it.
      if (base === undefined) return;
      const folder = await this.#folder(parts);
      const whiteout = parseWhiteout(base);
      if (whiteout !== undefined) await this.#whiteouts.write(whiteout, { folder, entry });
      else await this.#create(entry, folder, base);
    } catch (error) {
      throw entryError(error, entry.name);
    }
  }

  data(chunk: Uint8Array): void | Promise<void> {
    try {
      return this.#file?.write(chunk)?.catch((error: unknown) => Promise.reject(this.#fileError(error)));
    } catch (error) {
      throw this.#fileError(error);
    }
  }

  /** Forgets what belongs to one layer. */
  endLayer(): void {
    this.#tree.endLayer();
  }

  /** Lets go of an unfinished file; harmless otherwise. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** A descriptor's errors don't say whose it is. */
  #fileError(error: unknown): unknown {
    return entryError(error, this.#fileName);
  }

  #checkEntry(entry: TarEntry, name: string, parts: readonly string[]): void {
    const { limits } = this.#options;
    limits.name(name, parts);
    limits.entry(entry.sparse?.realSize ?? entry.size);
    if (entry.xattrs !== undefined) limits.xattrs(entry.xattrs);
    if (entry.type === "unknown") {
      const flag = JSON.stringify(entry.flag);
      throw new UnpackError(
        "ARCHIVE_UNSUPPORTED",
        `Cannot unpack "${entry.name}": nobody knows entries of type ${flag}`,
      );
    }
    if (entry.type.endsWith("device")) {
      for (const number of [entry.deviceMajor, entry.deviceMinor]) {
        if (number < 0 || number > 0xffff_ffff) throw new TarFormatError("a device number is out of range");
      }
    }
    for (const id of [entry.uid, entry.gid]) {
      // The last number would mean "leave it" to the system.
      if (id < 0 || id >= 0xffff_ffff) throw new TarFormatError("an owner is out of range");
    }
  }

  async #folder(parts: readonly string[]): Promise<Folder> {
    const place = await this.#resolve(parts);
    if (place.missing.length === 0) return place.folder;
    const [topmost = ""] = place.missing;
    const replaces = this.#signs?.clear(place.folder, topmost) === true;
    const made: [Folder, string][] = [];
    const folder = this.#tree.make(place, (parent, name) => {
      (parent.fresh ??= new Set()).add(name);
      made.push([parent, name]);
    });
    if (replaces) await this.#signs?.makeOpaque(this.#tree.add(place.folder, topmost));
    if (this.#signs?.covers(folder) === true) return folder;
    for (const [parent, name] of made) await this.#options.lower?.copyFolder(this.#tree, parent, name);
    return folder;
  }

  #resolve(parts: readonly string[]): Place | Promise<Place> {
    const { lower } = this.#options;
    const look = (): Place => this.#tree.resolve(parts);
    return lower === undefined ? look() : lower.settled(look);
  }

  async #create(entry: TarEntry, folder: Folder, base: string): Promise<void> {
    (folder.fresh ??= new Set()).add(base);
    const replaces = this.#signs?.clear(folder, base) === true;
    if (entry.type === "file") {
      const fd = this.#writer.createFile(folder, base);
      const finish = (): void | Promise<void> => this.#writer.finishFile(fd, entry, folder, base);
      this.#fileName = entry.name;
      this.#file = new FileWriter(fd, entry, { finish, blocking: this.#options.blocking });
      await this.#file.begin();
      return;
    }
    if (entry.type === "link") {
      const target = cleanName(toByteString(entry.linkName, entry.rawLinkName));
      const name = target.pop();
      const lower = this.#options.lower;
      const place = await this.#resolve(target);
      // Below is where the target may be, with folders that aren't here yet.
      if (lower !== undefined && place.missing.length > 0) await this.#folder(target);
      if (name === undefined || (lower === undefined && place.missing.length > 0)) throw noTarget(entry);
      const source = place.missing.length === 0 ? place.folder : (await this.#resolve(target)).folder;
      if (this.#signs?.has(source, name) === true) throw noTarget(entry);
      if (this.#signs?.covers(source) !== true) await lower?.copyUp(this.#tree, [...partsOf(source), name]);
      this.#writer.createLink({ folder: source, name }, folder, base);
    } else if (!(await this.#writer.createOther(entry, folder, base))) return;
    // What a folder replaces isn't below it any more.
    if (replaces && entry.type === "directory") await this.#signs?.makeOpaque(this.#tree.add(folder, base));
    await this.#writer.setMetadata(entry, folder, base);
  }
}

function noTarget(entry: TarEntry): UnpackError {
  return new UnpackError(
    "ARCHIVE_INVALID",
    `Cannot unpack "${entry.name}": it links to ${JSON.stringify(entry.linkName)}, which does not exist`,
  );
}

function entryError(error: unknown, name: string): unknown {
  if (error instanceof TarFormatError) {
    return new UnpackError("ARCHIVE_INVALID", `Cannot unpack ${JSON.stringify(name)}: ${error.message}`, {
      cause: error,
    });
  }
  return fileError("unpack", name, error);
}
