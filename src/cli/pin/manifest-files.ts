import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";

import { CliError } from "../errors.ts";
import { decodeUtf8 } from "../explain/manifest-text.ts";
import { describeError } from "../report-error.ts";

export interface ManifestFile {
  /** As messages call it. */
  readonly name: string;
  readonly path: string;
  readonly text: string;
  /** Itself, and not found in a folder. */
  readonly named: boolean;
  /** Permissions, which a rewritten file keeps. */
  readonly mode: number;
}

const EXTENSION = /\.(?:ya?ml|json)$/i;
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Files as they are named, and all manifests below folders, in the order of their names. Hidden folders and
 * `node_modules` are left out unless they are named themselves.
 *
 * @throws CliError `UNREADABLE`
 */
export async function* readManifestFiles(
  names: readonly string[],
  cwd: string,
): AsyncGenerator<ManifestFile> {
  const seen = new Set<string>();
  for (const name of names) {
    const path = resolve(cwd, name);
    const isFolder = await stat(path).then(
      (found) => found.isDirectory(),
      (error: unknown) => {
        throw unreadable(name, error);
      },
    );
    const paths = isFolder ? await walk(path) : [path];
    for (const one of paths) {
      if (seen.has(one)) continue;
      seen.add(one);
      const file = await read(one, isFolder ? join(name, relative(path, one)) : name);
      yield { ...file, named: !isFolder };
    }
  }
}

async function walk(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    if (entry.isDirectory()) found.push(...(await walk(path)));
    else if (entry.isFile() && EXTENSION.test(entry.name)) found.push(path);
  }
  return found;
}

async function read(path: string, name: string): Promise<Omit<ManifestFile, "named">> {
  try {
    const { mode, size } = await stat(path);
    if (size > MAX_BYTES) throw new CliError("UNREADABLE", `it has more than ${MAX_BYTES} bytes`);
    return { name, path, text: decodeUtf8(await readFile(path)), mode: mode & 0o777 };
  } catch (error) {
    throw unreadable(name, error);
  }
}

function unreadable(name: string, cause: unknown): CliError {
  const { message } = describeError(cause);
  return new CliError("UNREADABLE", `Cannot read ${JSON.stringify(name)}: ${message}`, { cause });
}
