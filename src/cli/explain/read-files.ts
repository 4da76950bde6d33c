/** Manifests from files, folders and standard input, and everything else that stands among them. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";

import { readCrictlImages } from "../../explain/index.ts";
import {
  formatProblem,
  type JsonObject,
  type Located,
  readManifests,
  type SecretObject,
} from "../../kubernetes/index.ts";
import type { CommandContext } from "../context.ts";
import { CliError } from "../errors.ts";

export interface ReadFiles {
  readonly objects: readonly Located<JsonObject>[];
  readonly secrets: readonly Located<SecretObject>[];
  /** What couldn't be read, in sentences. */
  readonly problems: readonly string[];
}

const MANIFEST = /\.(ya?ml|json)$/;
/** A folder of a whole repository isn't one of manifests. */
const MOST_FILES = 2000;
const SKIPPED: ReadonlySet<string> = new Set(["node_modules", ".git"]);

/** @throws CliError `UNREADABLE` for a path that isn't there */
export async function readFiles(paths: readonly string[], context: CommandContext): Promise<ReadFiles> {
  const objects: Located<JsonObject>[] = [];
  const secrets: Located<SecretObject>[] = [];
  const problems: string[] = [];
  for (const path of paths) {
    for (const { text, file } of await readAll(path, context)) {
      // A list of a node's images may lie beside the manifests.
      if (readCrictlImages(text) !== undefined) continue;
      const read = readManifests(text, { file, unread: true });
      objects.push(...read.objects);
      secrets.push(...read.secrets);
      problems.push(...read.problems.map(formatProblem));
    }
  }
  return { objects, secrets, problems };
}

async function readAll(
  path: string,
  { cwd, stdin }: CommandContext,
): Promise<readonly { readonly text: string; readonly file: string }[]> {
  if (path === "-") {
    const chunks: Uint8Array[] = [];
    for await (const chunk of stdin) chunks.push(chunk);
    return [{ text: Buffer.concat(chunks).toString("utf8"), file: "standard input" }];
  }
  const full = resolve(cwd, path);
  const files = (await lookAt(full, path)).isDirectory() ? await listFolder(full) : [full];
  return await Promise.all(
    files.map(async (file) => ({ text: await readFile(file, "utf8"), file: relative(cwd, file) || file })),
  );
}

async function lookAt(full: string, path: string): Promise<Awaited<ReturnType<typeof stat>>> {
  try {
    return await stat(full);
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file or folder" : String(cause);
    throw new CliError("UNREADABLE", `Cannot read ${JSON.stringify(path)}: ${why}`, { cause });
  }
}

/** Those of a folder and of the folders in it, by name. */
async function listFolder(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  const pending = [folder];
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    for (const entry of (await readdir(next, { withFileTypes: true })).toSorted((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) pending.push(join(next, entry.name));
      else if (entry.isFile() && MANIFEST.test(entry.name)) found.push(join(next, entry.name));
    }
    if (found.length > MOST_FILES) {
      throw new CliError(
        "UNREADABLE",
        `Cannot read ${JSON.stringify(folder)}: it holds more than ${MOST_FILES} manifests`,
      );
    }
  }
  return found;
}
