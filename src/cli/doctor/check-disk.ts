import { statfs } from "node:fs/promises";

import { formatBytes } from "../terminal/units.ts";
import type { Findings } from "./finding.ts";
import { findObstacle, isOpen, lookAt, octal } from "./look.ts";

const DISK = "disk";
const DIRECTORIES = "directories";

export interface DiskPolicy {
  /** imageGCHighThresholdPercent. */
  readonly highThreshold: number;
  /** Of `evictionHard`, by signal: a percentage, or bytes or inodes. */
  readonly eviction: (signal: string, capacity: number) => number;
}

export interface NodeFolder {
  readonly path: string;
  /** What the kubelet calls the file system: images' or its own. */
  readonly kind: "imagefs" | "nodefs";
  /** Whether somebody said that it is there. */
  readonly named: boolean;
}

/** Folders of one file system are one. */
export async function checkFolders(
  findings: Findings,
  folders: readonly NodeFolder[],
  policy: DiskPolicy,
): Promise<void> {
  const seen = new Set<string>();
  for (const folder of folders) {
    const { kind } = folder;
    const device = await checkFolder(findings, folder);
    if (device === undefined || seen.has(`${kind} ${device}`)) continue;
    seen.add(`${kind} ${device}`);
    await checkSpace(findings, folder, policy);
  }
}

/** Resolves with the device it is on, where that can be told. */
async function checkFolder(findings: Findings, { path, named }: NodeFolder): Promise<number | undefined> {
  const look = await lookAt(path);
  if (look.state === "missing") {
    const what = "There is no such directory";
    if (named) findings.add("DIRECTORY_MISSING", { where: path, what, mend: `mkdir -p ${path}` });
    else findings.missed(DIRECTORIES, `${path}: there is none`);
    return undefined;
  }
  if (look.state === "hidden") {
    findings.missed(DIRECTORIES, `${path}: ${look.why}`);
    return undefined;
  }
  const { stats } = look;
  if (!stats.isDirectory()) {
    findings.add("DIRECTORY_INVALID", { where: path, what: "It is no directory", mend: "Move it away" });
    return undefined;
  }
  if (isOpen(stats)) {
    const mend = `chmod o-w ${path}`;
    findings.add("DIRECTORY_OPEN", { where: path, what: `Its mode is ${octal(stats)}`, mend });
  }
  const obstacle = await findObstacle(path, "write");
  if (obstacle === "EROFS") {
    const mend = "Remount it for writing; look for errors of the disk in the kernel's log";
    findings.add("DIRECTORY_READ_ONLY", { where: path, what: "Its file system is read-only", mend });
  } else if (obstacle !== undefined) {
    findings.missed(DIRECTORIES, `${path}: whether the kubelet may write to it can't be told by you`);
  }
  return stats.dev;
}

async function checkSpace(
  findings: Findings,
  { path, kind }: NodeFolder,
  { highThreshold, eviction }: DiskPolicy,
): Promise<void> {
  const { blocks, bavail, bsize, files, ffree } = await statfs(path);
  const [capacity, available] = [blocks * bsize, bavail * bsize];
  if (capacity === 0) return;
  const used = Math.floor(100 - (available * 100) / capacity);
  findings.saw(
    DISK,
    `${path}: ${formatBytes(available)} of ${formatBytes(capacity)} free, ${inodesOf(files, ffree)}`,
  );
  const least = eviction(`${kind}.available`, capacity);
  if (available < least) {
    const what = `${formatBytes(available)} are free, and evictions begin below ${formatBytes(least)}`;
    findings.add("DISK_EVICTION", {
      where: path,
      what,
      mend: "Free space: crictl rmi --prune, or a larger disk",
    });
  } else if (kind === "imagefs" && used >= highThreshold) {
    const what = `${used}% are used, and images are deleted from ${highThreshold}% on`;
    const mend = "Free space, or expect images that were prefetched to go; pin those that must stay";
    findings.add("DISK_ABOVE_GC_THRESHOLD", { where: path, what, mend });
  }
  const leastInodes = eviction(`${kind}.inodesFree`, files);
  // Some file systems make inodes as they need them, and count none.
  if (files > 0 && ffree < leastInodes) {
    const what = `${ffree} of ${files} inodes are free, and evictions begin below ${Math.ceil(leastInodes)}`;
    findings.add("INODES_LOW", { where: path, what, mend: "Remove folders of many small files, or images" });
  }
}

function inodesOf(files: number, free: number): string {
  return files === 0 ? "inodes without a limit" : `${Math.floor((free * 100) / files)}% of inodes free`;
}
