import { readdirSync } from "node:fs";

import type { TarEntry } from "../internal/tar-header.ts";
import type { Folder } from "./folder-tree.ts";
import type { LayerApplierOptions } from "./layer-applier.ts";
import type { OverlaySigns } from "./overlay-signs.ts";
import type { Whiteout } from "./whiteout.ts";

/**
 * What becomes of markers: `remove` takes away what they hide; `overlay` leaves signs that overlayfs understands, for
 * a layer in a folder of its own.
 */
export type WhiteoutForm = "remove" | "overlay";

interface MarkerPlace {
  readonly folder: Folder;
  readonly entry: TarEntry;
}

export class WhiteoutWriter {
  readonly #options: LayerApplierOptions;
  readonly #signs: OverlaySigns | undefined;

  /** @param signs where markers become signs */
  constructor(options: LayerApplierOptions, signs: OverlaySigns | undefined) {
    this.#options = options;
    this.#signs = signs;
  }

  async write(whiteout: Whiteout, { folder, entry }: MarkerPlace): Promise<void> {
    if (whiteout.kind === "ignore") return;
    if (this.#signs !== undefined) {
      if (whiteout.kind === "opaque") return await this.#signs.empty(folder, entry);
      return await this.#signs.hide(folder, whiteout.name, entry);
    }
    const { tree } = this.#options;
    if (whiteout.kind === "remove") {
      tree.remove(folder, whiteout.name);
      folder.fresh?.delete(whiteout.name);
    } else this.#empty(folder);
  }

  /**
   * Removes what lower layers put into a folder. What this layer has put there stays, wherever in it the marker stands,
   * and so do the folders it lies in.
   */
  #empty(folder: Folder): void {
    const { tree } = this.#options;
    for (const bytes of readdirSync(tree.self(folder), "buffer")) {
      const name = bytes.toString("latin1");
      if (folder.fresh?.has(name) !== true && !hasFresh(folder.children.get(name))) tree.remove(folder, name);
      else {
        const child = folder.children.get(name);
        if (child !== undefined) this.#empty(child);
      }
    }
  }
}

/** Whether this layer has put something anywhere below. */
function hasFresh(folder: Folder | undefined): boolean {
  if (folder === undefined) return false;
  if (folder.fresh !== undefined && folder.fresh.size > 0) return true;
  return [...folder.children.values()].some(hasFresh);
}
