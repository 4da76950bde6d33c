/** What the vectors do to a folder before and between layers. Paths begin at the folder, and are followed inside it. */
import { chmodSync, chownSync, linkSync, mkdirSync, renameSync, rmSync, rmdirSync, statSync } from "node:fs";
import { symlinkSync, unlinkSync, utimesSync, writeFileSync, lchownSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";

export interface Operation {
  readonly op: string;
  readonly path: string;
  readonly mode?: string;
  readonly content?: string;
  readonly contentHex?: string;
  readonly target?: string;
  readonly from?: string;
  readonly to?: string;
  readonly time?: string;
  readonly uid?: number;
  readonly gid?: number;
}

export function applyOperations(root: string, operations: readonly Operation[]): void {
  for (const operation of operations) applyOperation(root, operation);
}

function applyOperation(root: string, operation: Operation): void {
  const path = join(root, operation.path ?? "");
  const mode = Number.parseInt(operation.mode ?? "644", 8);
  switch (operation.op) {
    case "mkdir":
      mkdirSync(path, { recursive: true });
      return chmodSync(path, mode);
    case "write":
      writeFileSync(
        path,
        Buffer.from(
          operation.contentHex ?? operation.content ?? "",
          operation.contentHex === undefined ? "utf8" : "hex",
        ),
      );
      return chmodSync(path, mode);
    case "symlink":
      return symlinkSync(operation.target ?? "", path);
    case "hardlink":
      return linkSync(join(root, operation.target ?? ""), path);
    case "chmod":
      return chmodSync(path, mode);
    case "chown":
      return chownSync(path, operation.uid ?? 0, operation.gid ?? 0);
    case "lchown":
      return lchownSync(path, operation.uid ?? 0, operation.gid ?? 0);
    case "remove":
      return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
        ? rmdirSync(path)
        : unlinkSync(path);
    case "removeAll":
      return rmSync(path, { recursive: true, force: true });
    case "rename":
      return renameSync(join(root, operation.from ?? ""), join(root, operation.to ?? ""));
    case "utime": {
      const time = operation.time === "now" ? new Date() : new Date(operation.time ?? 0);
      return utimesSync(path, time, time);
    }
    case "mkfifo":
      spawnSync("mkfifo", ["-m", operation.mode ?? "0644", path]);
      return undefined;
    case "socket":
      return makeSocket(path);
    default:
      throw new TypeError(`Cannot do ${operation.op}: no such operation`);
  }
}

/** Sockets are gone with the server that listens on them, unless it is killed. */
function makeSocket(path: string): void {
  const script = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script, path]);
  if (!statSync(path).isSocket()) throw new Error(`Cannot make a socket at ${path}`);
}
