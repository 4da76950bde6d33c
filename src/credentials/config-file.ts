import { readFile, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { writeFileAtomically } from "../internal/atomic-write.ts";
import { makeFolder } from "../internal/make-folder.ts";
import { type CredentialEnvironment, configCandidates } from "./config-location.ts";
import { type DockerConfig, parseDockerConfig } from "./docker-config.ts";
import { CredentialsError } from "./errors.ts";

export interface ConfigFile {
  readonly path: string;
  readonly config: DockerConfig;
  /** As read; empty when the file isn't there yet. */
  readonly text: string;
}

/** Nobody's credentials need more. */
const SIZE_LIMIT = 8 * 1024 * 1024;

/**
 * The file credentials are read from: `path` when given, else the first candidate that exists; undefined when there's none.
 * @throws CredentialsError `CONFIG_UNREADABLE` or `CONFIG_INVALID`
 */
export async function findConfigFile(
  environment: CredentialEnvironment,
  path?: string,
): Promise<ConfigFile | undefined> {
  for (const candidate of path === undefined ? configCandidates(environment) : [path]) {
    const text = await readIfPresent(candidate);
    if (text !== undefined) {
      return { path: candidate, config: parseDockerConfig(text, candidate), text };
    }
  }
  return undefined;
}

/** The file credentials are written to: the one they're read from, or Docker's place, which needn't exist yet. */
export async function openConfigFile(environment: CredentialEnvironment, path?: string): Promise<ConfigFile> {
  const found = await findConfigFile(environment, path);
  if (found !== undefined) return found;
  const place = path ?? (configCandidates(environment)[0] as string);
  return { path: place, config: parseDockerConfig("", place), text: "" };
}

/**
 * Replaces the document of a file, whole or not at all, readable by its owner alone. Indentation and the last line
 * break stay as they were.
 * @throws CredentialsError `CONFIG_UNWRITABLE`
 */
export async function writeConfigFile(
  file: ConfigFile,
  document: Readonly<Record<string, unknown>>,
): Promise<void> {
  const indent =
    /\n([ \t]+)"/.exec(file.text)?.[1] ?? (file.text === "" || file.text.trim().includes("\n") ? "\t" : "");
  const end = file.text === "" || file.text.endsWith("\n") ? "\n" : "";
  try {
    makeFolder(dirname(file.path), { mode: 0o700 });
    // A link is kept: people keep this file among their dotfiles.
    const target = file.text === "" ? file.path : await realpath(file.path);
    await writeFileAtomically(target, JSON.stringify(document, null, indent) + end, { mode: 0o600 });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown failure";
    throw new CredentialsError("CONFIG_UNWRITABLE", `Cannot write credentials to "${file.path}": ${code}`, {
      cause,
    });
  }
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(path);
    if (bytes.length <= SIZE_LIMIT) return bytes.toString("utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown failure";
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new CredentialsError("CONFIG_UNREADABLE", `Cannot read credentials from "${path}": ${code}`, {
      cause,
    });
  }
  throw new CredentialsError("CONFIG_INVALID", `Cannot read credentials from "${path}": larger than 8 MiB`);
}
