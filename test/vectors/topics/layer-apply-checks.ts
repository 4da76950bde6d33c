/** What the vectors want to find in a folder afterwards. */
import { chmodSync, lstatSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";

import { startHelper } from "../../../src/unpack/attribute-helper.ts";

export interface FolderCheck {
  readonly check: string;
  readonly path?: string;
  readonly a?: string;
  readonly b?: string;
  readonly content?: string;
  readonly contentHex?: string;
  readonly target?: string;
  readonly mode?: string;
  readonly key?: string;
  readonly value?: string;
  readonly mtime?: string | number;
  readonly uid?: number;
  readonly gid?: number;
}

/** The checks that don't hold, each with what was found. */
export async function checkFolder(root: string, checks: readonly FolderCheck[]): Promise<string[]> {
  const failed: string[] = [];
  for (const check of checks) {
    const found = await look(root, check);
    if (found !== undefined) failed.push(`${JSON.stringify(check)}: ${found}`);
  }
  return failed;
}

/** `undefined` when the check holds. */
async function look(root: string, check: FolderCheck): Promise<string | undefined> {
  const path = check.path ?? "";
  switch (check.check) {
    case "file-content": {
      const wanted =
        check.contentHex === undefined
          ? Buffer.from(check.content ?? "")
          : Buffer.from(check.contentHex, "hex");
      const found = readOpened(follow(root, path));
      return found.equals(wanted) ? undefined : `it is ${found.toString()}`;
    }
    case "not-exists":
      return stat(root, path) === undefined ? undefined : "it exists";
    case "exists":
      return stat(root, path) === undefined ? "it doesn't exist" : undefined;
    case "is-directory":
      return stat(root, path)?.isDirectory() === true ? undefined : "it is no folder";
    case "mode": {
      const mode = ((stat(root, path)?.mode ?? 0) & 0o7777).toString(8).padStart(4, "0");
      return mode === check.mode ? undefined : `it is ${mode}`;
    }
    case "symlink-target": {
      const target = readlinkSync(join(root, path));
      return target === check.target ? undefined : `it is ${target}`;
    }
    case "same-symlink-target": {
      const [a, b] = [check.a, check.b].map((name) => readlinkSync(join(root, name ?? "")));
      return a === b ? undefined : `${a} and ${b}`;
    }
    case "same-inode":
    case "different-inode": {
      const [a, b] = [check.a, check.b].map((name) => lstatSync(follow(root, name ?? "")).ino);
      return (a === b) === (check.check === "same-inode") ? undefined : `${a} and ${b}`;
    }
    case "mtime": {
      const wanted = typeof check.mtime === "number" ? check.mtime : Date.parse(check.mtime ?? "") / 1000;
      const found = (stat(root, path)?.mtimeMs ?? Number.NaN) / 1000;
      return found === wanted ? undefined : `it is ${found}`;
    }
    case "owner": {
      const found = stat(root, path);
      return found?.uid === check.uid && found?.gid === check.gid ? undefined : `${found?.uid}:${found?.gid}`;
    }
    case "xattr":
    case "xattr-absent":
      return await lookAtXattr(join(root, path), check);
    default:
      throw new TypeError(`Cannot check ${check.check}: no such check`);
  }
}

/** A file that its layer, or its folder's, closes to everybody but root. */
function readOpened(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    chmodSync(dirname(path), 0o700);
    chmodSync(path, 0o600);
    return readFileSync(path);
  }
}

async function lookAtXattr(path: string, check: FolderCheck): Promise<string | undefined> {
  const helper = startHelper();
  const found = await helper?.getXattr(path, check.key ?? "");
  await helper?.close();
  const wanted = check.check === "xattr" ? check.value : undefined;
  const value = found === "ENODATA" ? undefined : Buffer.from(found ?? "").toString();
  return value === wanted ? undefined : `it is ${value}`;
}

function stat(root: string, path: string): Stats | undefined {
  try {
    return lstatSync(join(root, path));
  } catch (error) {
    // A file further up is as good as nothing.
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** Where a path leads when the folder is the root of everything. */
function follow(root: string, path: string): string {
  const done: string[] = [];
  const queue = path.split("/").toReversed();
  for (let links = 0, part = queue.pop(); part !== undefined; part = queue.pop()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      done.pop();
      continue;
    }
    const here = join(root, ...done, part);
    if (lstatSync(here, { throwIfNoEntry: false })?.isSymbolicLink() !== true) {
      done.push(part);
      continue;
    }
    if (++links > 255) throw new Error(`Cannot follow ${path}: too many links`);
    const target = readlinkSync(here);
    if (target.startsWith("/")) done.length = 0;
    queue.push(...target.split("/").toReversed());
  }
  return join(root, ...done);
}
