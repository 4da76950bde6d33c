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
import { decodeManifest, guessPasted } from "./manifest-text.ts";

export interface ReadFiles {
  readonly objects: readonly Located<JsonObject>[];
  readonly secrets: readonly Located<SecretObject>[];
  /** What couldn't be read, in sentences. */
  readonly problems: readonly string[];
  /** Whether manifests are among it: a folder may hold other files of these kinds, too. */
  readonly incomplete: boolean;
}

const MANIFEST = /\.(ya?ml|json)$/i;
/** Every object has one; what is otherwise kept as YAML or JSON seldom does. */
const KIND = /^[ \t"{]*kind"?[ \t]*:/m;
/** A folder of a whole repository isn't one of manifests. */
const MOST_FILES = 2000;
const SKIPPED: ReadonlySet<string> = new Set(["node_modules", ".git"]);

/** @throws CliError `UNREADABLE` for a path that isn't there */
export async function readFiles(paths: readonly string[], context: CommandContext): Promise<ReadFiles> {
  const objects: Located<JsonObject>[] = [];
  const secrets: Located<SecretObject>[] = [];
  const problems: string[] = [];
  let incomplete = false;
  for (const path of paths) {
    for (const { text, file, named } of await readAll(path, context)) {
      // A list of a node's images may lie beside the manifests.
      if (readCrictlImages(text) !== undefined) continue;
      const pasted = guessPasted(text);
      if (pasted !== undefined) {
        problems.push(`${file}: ${pasted}`);
        incomplete = true;
        continue;
      }
      const read = readManifests(text, { file, unread: true });
      objects.push(...read.objects);
      secrets.push(...read.secrets);
      problems.push(...read.problems.map(formatProblem));
      if (read.problems.length > 0 && (named || KIND.test(text))) incomplete = true;
    }
  }
  return { objects, secrets, problems, incomplete };
}

interface FoundFile {
  readonly text: string;
  readonly file: string;
  /** Itself, and not found in a folder. */
  readonly named: boolean;
}

async function readAll(path: string, { cwd, stdin }: CommandContext): Promise<readonly FoundFile[]> {
  if (path === "-") {
    const chunks: Uint8Array[] = [];
    for await (const chunk of stdin) chunks.push(chunk);
    return [{ text: decodeManifest(Buffer.concat(chunks)), file: "standard input", named: true }];
  }
  const full = resolve(cwd, path);
  const named = !(await lookAt(full, path)).isDirectory();
  const files = named ? [full] : await listFolder(full);
  return await Promise.all(
    files.map(async (file) => ({
      text: decodeManifest(await readFile(file)),
      file: relative(cwd, file) || file,
      named,
    })),
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
