/**
 * What the base has at the places where the new layer has folders.
 *
 * A layer must name the folders its files lie in, since not every runtime makes missing ones as it should. Naming a
 * folder sets its owner and mode, and naming a link replaces it. So the base is looked at first: `/tmp` stays open to
 * all, and what goes to `/bin` ends up in `/usr/bin` where that is what `/bin` means.
 */
import { posix } from "node:path";

import { pumpDecompressed } from "../internal/compression.ts";
import { TarDecoder } from "../internal/tar-decoder.ts";
import { type TarEntry, TarFormatError } from "../internal/tar-header.ts";
import { type ContentSource, type Descriptor, isForeignLayerType, type SignalOptions } from "../oci/index.ts";
import { BuildError } from "./errors.ts";
import type { FolderNode, TreeNode } from "./file-tree.ts";

type Found =
  | { readonly type: "directory"; readonly mode: number; readonly uid: number; readonly gid: number }
  | { readonly type: "symlink"; readonly target: string }
  | { readonly type: "other" };

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
/** Links that lead to links. */
const MAX_ROUNDS = 8;

/**
 * Gives the tree's folders the owner and mode they have in the base, and moves what lies in folders that are links
 * there to where the links lead.
 *
 * @throws BuildError `BASE_INVALID`, `COPY_INVALID`; the source's error
 */
export async function adaptToBase(
  root: FolderNode,
  layers: readonly Descriptor[],
  source: ContentSource,
  options: SignalOptions = {},
): Promise<void> {
  const known = new Map<string, Found | undefined>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const wanted = listFolders(root, "").filter((path) => !known.has(path));
    if (wanted.length === 0) break;
    const found = await lookUp(new Set(wanted), layers, source, options);
    for (const path of wanted) known.set(path, found.get(path));
    for (const path of wanted) follow(root, path, known.get(path));
  }
  for (const path of listFolders(root, "")) {
    const found = known.get(path);
    const folder = folderAt(root, path);
    if (found?.type === "directory" && folder !== undefined) folder.base = found;
  }
}

function listFolders(folder: FolderNode, prefix: string): readonly string[] {
  return [...folder.children].flatMap(([name, node]) =>
    node.type === "directory" ? [prefix + name, ...listFolders(node, `${prefix}${name}/`)] : [],
  );
}

function folderAt(root: FolderNode, path: string): FolderNode | undefined {
  let folder: FolderNode | undefined = root;
  for (const name of path.split("/")) {
    const child: TreeNode | undefined = folder?.children.get(name);
    folder = child?.type === "directory" ? child : undefined;
  }
  return folder;
}

/** Moves the children of a folder that is a link in the base. */
function follow(root: FolderNode, path: string, found: Found | undefined): void {
  const folder = folderAt(root, path);
  if (found?.type !== "symlink" || folder === undefined) return;
  const parent = posix.dirname(path);
  // Inside the image, as a container sees it: an absolute link begins at the root, and nothing leads above that.
  const target = posix.normalize(posix.join("/", found.target.startsWith("/") ? "" : parent, found.target));
  (parent === "." ? root : folderAt(root, parent))?.children.delete(posix.basename(path));
  let place = root;
  for (const name of target.split("/").filter((part) => part !== "")) {
    const next = place.children.get(name) ?? { type: "directory", children: new Map() };
    if (next.type !== "directory") throw clash(path, target);
    place.children.set(name, next);
    place = next;
  }
  merge(place, folder, path);
}

function merge(into: FolderNode, from: FolderNode, path: string): void {
  for (const [name, node] of from.children) {
    const there = into.children.get(name);
    if (there?.type === "directory" && node.type === "directory") merge(there, node, `${path}/${name}`);
    else if (there?.type === "directory" || (there !== undefined && node.type === "directory")) {
      throw clash(path, name);
    } else into.children.set(name, node);
  }
}

/** From the top layer down; what a layer removes isn't looked for below it. */
async function lookUp(
  wanted: Set<string>,
  layers: readonly Descriptor[],
  source: ContentSource,
  options: SignalOptions,
): Promise<ReadonlyMap<string, Found>> {
  const result = new Map<string, Found>();
  for (const layer of layers.toReversed()) {
    if (wanted.size === 0) break;
    if (isForeignLayerType(layer.mediaType)) continue;
    const { seen, removed, emptied } = await scanLayer(layer, wanted, source, options);
    for (const path of wanted) {
      const found = seen.get(path);
      if (found !== undefined) result.set(path, found);
      const hidden = ancestors(path).some((above) => {
        const over = seen.get(above) ?? result.get(above);
        return removed.has(above) || emptied.has(above) || (over !== undefined && over.type !== "directory");
      });
      if (found !== undefined || removed.has(path) || hidden) wanted.delete(path);
    }
  }
  return result;
}

interface Scan {
  readonly seen: ReadonlyMap<string, Found>;
  readonly removed: ReadonlySet<string>;
  /** Folders whose earlier content an opaque marker hides. */
  readonly emptied: ReadonlySet<string>;
}

async function scanLayer(
  layer: Descriptor,
  wanted: ReadonlySet<string>,
  source: ContentSource,
  options: SignalOptions,
): Promise<Scan> {
  const seen = new Map<string, Found>();
  const removed = new Set<string>();
  const emptied = new Set<string>();
  const decoder = new TarDecoder({
    entry(entry) {
      const path = bytePath(entry.rawName ?? entry.name);
      const name = path.slice(path.lastIndexOf("/") + 1);
      const folder = path.slice(0, Math.max(0, path.length - name.length - 1));
      if (name === OPAQUE) emptied.add(folder);
      else if (name.startsWith(WHITEOUT))
        removed.add((folder === "" ? "" : `${folder}/`) + name.slice(WHITEOUT.length));
      else if (wanted.has(path)) seen.set(path, describe(entry));
    },
  });
  const stream = await source.open(layer, options);
  try {
    await pumpDecompressed(stream, (chunk) => {
      options.signal?.throwIfAborted();
      return decoder.write(chunk);
    });
    decoder.end();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const damaged = error instanceof TarFormatError || (typeof code === "string" && /^Z(?:STD)?_/.test(code));
    if (!damaged) throw error;
    throw new BuildError(
      "BASE_INVALID",
      `Cannot build on layer "${layer.digest}": it is not a readable tar`,
      {
        cause: error,
      },
    );
  } finally {
    await stream.close();
  }
  return { seen, removed, emptied };
}

function describe(entry: TarEntry): Found {
  if (entry.type === "directory") {
    return { type: "directory", mode: entry.mode, uid: entry.uid, gid: entry.gid };
  }
  if (entry.type !== "symlink") return { type: "other" };
  return { type: "symlink", target: Buffer.from(entry.rawLinkName ?? entry.linkName).toString("latin1") };
}

/** `./a//b/` → `a/b`, as a byte string. */
function bytePath(name: string | Uint8Array): string {
  return posix.normalize(`/${Buffer.from(name).toString("latin1")}`).replace(/^\/+|\/+$/g, "");
}

function ancestors(path: string): readonly string[] {
  const names = path.split("/");
  return names.map((_, i) => names.slice(0, i).join("/"));
}

function clash(path: string, target: string): BuildError {
  const [from, to] = [path, target].map((text) => JSON.stringify(Buffer.from(text, "latin1").toString()));
  return new BuildError(
    "COPY_INVALID",
    `Cannot copy to ${from}: it is a link in the base, and ${to} is both a file and a folder`,
  );
}
