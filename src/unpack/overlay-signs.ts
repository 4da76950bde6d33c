/**
 * What overlayfs takes for removals, in the folder of one layer above others:
 *
 * ```text
 * .wh.name        ─► name        a character device 0/0, where there is something below to hide
 * .wh..wh..opq    ─► the folder  an attribute: nothing of the layers below shows in it
 *   in the root   ─► a device for each name below, as overlayfs ignores the attribute there
 * .wh.name, then a folder of that name ─► a folder with the attribute, as the device has to go
 * ```
 *
 * Where nothing lies below no sign is left: overlayfs shows one in such a folder as a name that nobody can open.
 */
import type { TarEntry } from "../internal/tar-header.ts";
import type { EntryWriter } from "./entry-writer.ts";
import { type Folder, type Hidden, partsOf } from "./folder-tree.ts";
import type { LayerApplierOptions } from "./layer-applier.ts";
import type { Powers } from "./ownership.ts";

export class OverlaySigns implements Hidden {
  readonly #options: LayerApplierOptions;
  readonly #writer: EntryWriter;
  readonly #signs = new Map<Folder, Set<string>>();
  readonly #opaque = new Set<Folder>();

  constructor(options: LayerApplierOptions, writer: EntryWriter) {
    this.#options = options;
    this.#writer = writer;
  }

  /** Whether a sign stands for this name. */
  has(folder: Folder, name: string): boolean {
    return this.#signs.get(folder)?.has(name) === true;
  }

  /** Whether nothing of lower layers shows in a folder. */
  covers(folder: Folder): boolean {
    if (this.#opaque.size === 0) return false;
    for (let at: Folder | undefined = folder; at !== undefined; at = at.parent) {
      if (this.#opaque.has(at)) return true;
    }
    return false;
  }

  /** Hides a name, and what this layer has put there. */
  async hide(folder: Folder, name: string, entry: TarEntry): Promise<void> {
    this.#options.tree.remove(folder, name);
    folder.fresh?.delete(name);
    if (!(await this.#showsThrough(folder, name))) return;
    const { xattrs: _, ...rest } = entry;
    const sign: TarEntry = { ...rest, type: "character-device", deviceMajor: 0, deviceMinor: 0, size: 0 };
    if (!(await this.#writer.createOther(sign, folder, name))) return;
    await this.#writer.setMetadata(sign, folder, name);
    const signs = this.#signs.get(folder) ?? new Set();
    this.#signs.set(folder, signs.add(name));
  }

  /** Hides what lower layers have in a folder; what this layer has put there stays. */
  async empty(folder: Folder, entry: TarEntry): Promise<void> {
    if (folder.parent !== undefined) return await this.makeOpaque(folder);
    for (const name of this.#options.lower?.rootNames() ?? []) {
      const own = folder.children.get(name);
      if (folder.fresh?.has(name) !== true) await this.hide(folder, name, entry);
      else if (own !== undefined) await this.makeOpaque(own);
    }
  }

  async makeOpaque(folder: Folder): Promise<void> {
    const { parent, name } = folder;
    if (parent === undefined) return;
    const key = opaqueKey(this.#options.powers);
    await this.#writer.setXattr(parent, name, { key, value: Buffer.from("y"), plain: true });
    this.#opaque.add(folder);
    for (const [place, names] of this.#signs) {
      if (this.covers(place)) for (const hidden of names) this.clear(place, hidden);
    }
  }

  /** Makes way for what takes the place of a sign; whether there was one. */
  clear(folder: Folder, name: string): boolean {
    if (this.#signs.get(folder)?.delete(name) !== true) return false;
    this.#options.tree.remove(folder, name);
    return true;
  }

  async #showsThrough(folder: Folder, name: string): Promise<boolean> {
    const { lower } = this.#options;
    // Nobody said what is below.
    if (lower === undefined) return true;
    return !this.covers(folder) && (await lower.has([...partsOf(folder), name]));
  }
}

/** What only root may set counts by default; users mount with `userxattr`. */
export function opaqueKey({ privileged }: Powers): string {
  return privileged ? "trusted.overlay.opaque" : "user.overlay.opaque";
}
