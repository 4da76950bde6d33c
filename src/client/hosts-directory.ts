/**
 * Where a registry's configuration lies below a root such as `/etc/containerd/certs.d`:
 *
 * ```text
 * <root>/registry.local_5000_/hosts.toml     a host with a port, without a colon in the name
 * <root>/registry.local:5000/hosts.toml      the same, literally
 * <root>/_default/hosts.toml                 for every host without its own
 * ```
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { ClientError } from "./errors.ts";

/** Directory names to try for a host, in order. On Windows names can't hold a colon. */
export function hostDirectories(
  host: string,
  options: { readonly windows?: boolean | undefined } = {},
): readonly string[] {
  const colon = host.lastIndexOf(":");
  const names = colon > 0 ? [`${host.slice(0, colon)}_${host.slice(colon + 1)}_`, host] : [host];
  const spelled = options.windows === true ? names.map((name) => name.replaceAll(":", "")) : names;
  return [...spelled, "_default"];
}

/** The first directory that exists, root by root; undefined when the host has none. */
export async function findHostDirectory(roots: readonly string[], host: string): Promise<string | undefined> {
  // The host comes from an image name; it must not climb out of the root.
  if (/[/\\]|^\.{0,2}$/.test(host)) return undefined;
  const names = hostDirectories(host, { windows: process.platform === "win32" });
  for (const root of roots) {
    for (const name of names) {
      const path = join(root, name);
      if (await isDirectory(path)) return path;
    }
  }
  return undefined;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw new ClientError("HOSTS_INVALID", `Cannot look into "${path}": ${code}`, { cause });
  }
}
