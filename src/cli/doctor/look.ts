/** Looking at files as whoever runs this may. */
import type { Stats } from "node:fs";
import { access, constants, stat } from "node:fs/promises";

import { isSystemError } from "../exit-code.ts";
import { describeSystemError } from "../report-error.ts";

export type Look =
  | { readonly state: "there"; readonly stats: Stats }
  | { readonly state: "missing" }
  /** It may be there, but whoever runs this can't tell. */
  | { readonly state: "hidden"; readonly why: string };

export async function lookAt(path: string): Promise<Look> {
  try {
    return { state: "there", stats: await stat(path) };
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return { state: "missing" };
    return { state: "hidden", why: describeSystemError(error) };
  }
}

/** What stands in the way of reading or writing; `undefined` for nothing. */
export async function findObstacle(
  path: string,
  mode: "read" | "write" | "run",
): Promise<string | undefined> {
  const bit = { read: constants.R_OK, write: constants.W_OK, run: constants.X_OK }[mode];
  try {
    await access(path, bit);
    return undefined;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error.code ?? "EACCES";
  }
}

export function octal({ mode }: Stats): string {
  return `0${(mode & 0o7777).toString(8)}`;
}

/** Whether others than owner and group may write; a sticky folder, as /tmp, keeps them from each other's files. */
export function isOpen(stats: Stats): boolean {
  const isSticky = stats.isDirectory() && (stats.mode & 0o1000) !== 0;
  return (stats.mode & 0o002) !== 0 && !isSticky;
}

export function isReadableByAll({ mode }: Stats): boolean {
  return (mode & 0o004) !== 0;
}
