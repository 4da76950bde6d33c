/**
 * `hosts.toml` for containerd, and for everybody who reads it as containerd does: for each mirrored registry a file
 * that names the mirror first and the registry itself after it.
 */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { writeFileAtomically } from "../../internal/atomic-write.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import type { MirrorConfig } from "../../registry/index.ts";

/** The first line of what is written here; files of others begin with something else. */
const MARK = "# Written by dray mirror hosts";

export interface HostsFilesOptions {
  /** How nodes reach the mirror: `https://mirror.example.com:5000`. */
  readonly server: string;
  /** A PEM file on the nodes, of who signed the mirror's certificate. */
  readonly ca?: string | undefined;
  /** The nodes accept any certificate of the mirror. */
  readonly skipVerify?: boolean | undefined;
  /** Whether nodes go to the registry itself when the mirror can't help; yes by default. */
  readonly fallback?: boolean | undefined;
}

export interface HostsFile {
  readonly registry: string;
  /** Below containerd's folder: `docker.io/hosts.toml`. */
  readonly path: string;
  readonly text: string;
}

export function hostsFiles(config: MirrorConfig, options: HostsFilesOptions): readonly HostsFile[] {
  return config.upstreams.map(({ registry, url }) => ({
    registry,
    path: `${registry}/hosts.toml`,
    text: formatHosts(registry, url, options),
  }));
}

/** TOML's plain strings take the same escapes as JSON's. */
function formatHosts(registry: string, url: string | undefined, options: HostsFilesOptions): string {
  const { server, ca, skipVerify = false, fallback = true } = options;
  const upstream = url ?? (registry === "docker.io" ? "https://registry-1.docker.io" : `https://${registry}`);
  const lines = [
    MARK,
    `server = ${JSON.stringify(fallback ? upstream : server)}`,
    "",
    `[host.${JSON.stringify(server)}]`,
    '  capabilities = ["pull", "resolve"]',
    ...(ca === undefined ? [] : [`  ca = ${JSON.stringify(ca)}`]),
    ...(skipVerify ? ["  skip_verify = true"] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** What becomes of a file: somebody else's is left as it is, unless it is to be replaced. */
export type HostsChange = "same" | "create" | "replace" | "foreign";

/** Compares with what is in a folder; nothing is changed. */
export async function findChange(folder: string, { path, text }: HostsFile): Promise<HostsChange> {
  const present = await readFile(join(folder, path), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (present === undefined) return "create";
  if (present === text) return "same";
  return present.startsWith(`${MARK}\n`) ? "replace" : "foreign";
}

/** Whole, or as it was: containerd reads it with every pull. */
export async function writeHostsFile(folder: string, { path, text }: HostsFile): Promise<void> {
  const place = join(folder, path);
  makeFolder(dirname(place));
  await writeFileAtomically(place, text);
}
