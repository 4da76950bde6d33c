import type { SignalOptions } from "../oci/index.ts";
import { type FolderState, haveSameBytes, type Item } from "./folder-state.ts";

/** What became of one path from the old folder to the new one. */
export type FolderChange =
  | { readonly kind: "added" | "modified"; readonly item: Item }
  /** Still the same, but with several names, so that another change may concern it. */
  | { readonly kind: "linked"; readonly item: Item }
  | { readonly kind: "removed"; readonly path: string };

const NONE: readonly Item[] = [];
const SECOND = 1_000_000_000n;

/**
 * Walks two folders side by side: parents before what is in them, siblings in the order of their bytes. What is below
 * something removed isn't told.
 */
export async function* compareFolders(
  old: FolderState,
  fresh: FolderState,
  options: SignalOptions = {},
  path = "",
): AsyncGenerator<FolderChange> {
  yield* compareLists(old, fresh, { ...options, lists: [old.list(path), fresh.list(path)] });
}

async function* compareLists(
  old: FolderState,
  fresh: FolderState,
  options: SignalOptions & { readonly lists: readonly [readonly Item[], readonly Item[]] },
): AsyncGenerator<FolderChange> {
  const [before, after] = options.lists;
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    options.signal?.throwIfAborted();
    const [a, b] = [before[i], after[j]];
    if (b === undefined || (a !== undefined && a.name < b.name)) {
      i++;
      // Nobody can tell a removed socket by a layer that never had it.
      if (a?.stat.isSocket() === false) yield { kind: "removed", path: a.path };
      continue;
    }
    j++;
    const there = a !== undefined && a.name === b.name ? a : undefined;
    if (there !== undefined) i++;
    if (b.stat.isSocket()) {
      if (there?.stat.isSocket() === false) yield { kind: "removed", path: b.path };
      continue;
    }
    if (there === undefined) yield { kind: "added", item: b };
    else if (!(await isSame(there, b, old, fresh))) yield { kind: "modified", item: b };
    else if (!b.stat.isDirectory() && b.stat.nlink > 1n) yield { kind: "linked", item: b };
    if (!b.stat.isDirectory()) continue;
    const below = there?.stat.isDirectory() === true ? old.list(b.path) : NONE;
    yield* compareLists(old, fresh, { ...options, lists: [below, fresh.list(b.path)] });
  }
}

async function isSame(a: Item, b: Item, old: FolderState, fresh: FolderState): Promise<boolean> {
  const [x, y] = [a.stat, b.stat];
  if (x.dev === y.dev && x.ino === y.ino) return true;
  if (x.mode !== y.mode || x.uid !== y.uid || x.gid !== y.gid || x.rdev !== y.rdev) return false;
  if (!x.isDirectory()) {
    if (x.size !== y.size || x.mtimeNs / SECOND !== y.mtimeNs / SECOND) return false;
    const [m, n] = [x.mtimeNs % SECOND, y.mtimeNs % SECOND];
    // A whole second may be what a layer left of a time; then only the content can tell.
    if (m !== n && m !== 0n && n !== 0n) return false;
    if (x.isSymbolicLink() && !old.linkTarget(a.path).equals(fresh.linkTarget(b.path))) return false;
    if (x.isFile() && (m === 0n || n === 0n) && !haveSameBytes(old, fresh, a.path)) return false;
  }
  if (!x.isFile() && !x.isDirectory()) return true;
  return equalMaps(await old.readXattrs(a.path), await fresh.readXattrs(b.path));
}

function equalMaps(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(
    ([key, value]) => Buffer.compare(value, b.get(key) ?? Buffer.alloc(0)) === 0 && b.has(key),
  );
}
