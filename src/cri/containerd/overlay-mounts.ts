import { readdirSync } from "node:fs";

import type { Mount } from "../generated/containerd/types_pb.ts";

/** The folders behind a snapshot's mounts, for who can write to them without mounting anything. */
export interface LayerFolders {
  /** What the layer's files go into. */
  readonly upper: string;
  /** Layers below, the uppermost first. */
  readonly lower: readonly string[];
}

/**
 * As overlayfs stacks them, or the one folder a first layer has; `undefined` for mounts of any other kind, and where
 * the folder isn't what a fresh snapshot's should be.
 */
export function layerFolders(mounts: readonly Mount[]): LayerFolders | undefined {
  const [mount, more] = mounts;
  if (mount === undefined || more !== undefined) return undefined;
  const folders = mount.type === "overlay" ? overlayFolders(mount) : bindFolder(mount);
  return folders !== undefined && isEmpty(folders.upper) ? folders : undefined;
}

function overlayFolders({ options }: Mount): LayerFolders | undefined {
  const upper = valueOf(options, "upperdir");
  const lower = valueOf(options, "lowerdir");
  // Ids that the mount would shift are written as they are below it.
  if (upper === undefined || lower === undefined || options.some((option) => /idmap|uidmap/.test(option))) {
    return undefined;
  }
  // Colons in names are escaped there, which no snapshotter's own folders need.
  if (lower.includes("\\")) return undefined;
  return { upper, lower: lower.split(":") };
}

function bindFolder({ type, source, options }: Mount): LayerFolders | undefined {
  const writable = (type === "bind" || type === "rbind") && options.includes("rw");
  return writable && !options.some((option) => /idmap|uidmap/.test(option))
    ? { upper: source, lower: [] }
    : undefined;
}

function valueOf(options: readonly string[], name: string): string | undefined {
  return options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
}

function isEmpty(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0;
  } catch {
    return false;
  }
}
