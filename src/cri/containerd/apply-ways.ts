/** Two ways to fill a snapshot: by ourselves where its folders are ours to write to, or by containerd. */
import { existsSync, readlinkSync } from "node:fs";
import { join } from "node:path";

import { UnpackError } from "../../unpack/index.ts";
import type { ContainerdConnection } from "./connection.ts";
import { attempt } from "./failures.ts";
import { layerFolders } from "./overlay-mounts.ts";
import type { ApplyLayer } from "./snapshots.ts";
import type { UnpackWorkers } from "./unpack-worker.ts";

/** By containerd, from its content store. */
export function applyThere(connection: ContainerdConnection): ApplyLayer {
  return async ({ descriptor, diffId }, mounts, options) => {
    const { mediaType, digest, size } = descriptor;
    const diff = { mediaType, digest, size: BigInt(size), annotations: {} };
    const { applied } = await attempt(
      `unpack layer ${JSON.stringify(digest)}`,
      connection.diff.apply({ diff, mounts: [...mounts], syncFs: false }, connection.call(options)),
    );
    if (applied?.digest !== diffId) {
      throw new UnpackError(
        "IMAGE_INVALID",
        `Cannot unpack layer "${digest}": uncompressed it hashes to ${applied?.digest ?? "nothing"}, but the config says ${diffId}`,
      );
    }
    return "applied";
  };
}

/**
 * By ourselves, into the snapshot's own folder, from containerd's own file. Where that can't be, or something had to be
 * left out, `again`.
 *
 * @param root of containerd's content store
 */
export function applyHere(workers: UnpackWorkers, root: string): ApplyLayer {
  return async ({ descriptor, diffId }, mounts, { signal }) => {
    const folders = layerFolders(mounts);
    const file = join(root, "blobs", ...descriptor.digest.split(":"));
    if (folders === undefined || !existsSync(file)) return "again";
    // containerd has verified the compressed bytes; what comes out of them is for us to verify.
    try {
      const { leftOut } = await workers.run({ file, ...folders, diffId }, { signal });
      return leftOut === 0 ? "applied" : "again";
    } catch (error) {
      // A layer that is wrong is wrong for containerd, too; a thread that had too little memory says nothing of it.
      if (error instanceof UnpackError || signal?.aborted === true) throw error;
      return "again";
    }
  };
}

/** Whether containerd's folders are this process's to write to: it is root, and both live in one world. */
export function sharesFiles(pidNamespace: bigint): boolean {
  try {
    const own = /\[([0-9]+)\]/.exec(readlinkSync("/proc/self/ns/pid"))?.[1];
    return process.geteuid?.() === 0 && own === pidNamespace.toString();
  } catch {
    return false;
  }
}
