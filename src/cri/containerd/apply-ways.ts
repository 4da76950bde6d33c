/** Ways to fill a snapshot: by ourselves where its folders are ours to write to, or by containerd. */
import { readlinkSync } from "node:fs";

import { UnpackError } from "../../unpack/index.ts";
import type { Arrival } from "./arrivals.ts";
import type { ContainerdConnection } from "./connection.ts";
import type { ContentFiles } from "./content-files.ts";
import { attempt } from "./failures.ts";
import { ingestRef } from "./fetch-content.ts";
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
 */
export function applyHere(workers: UnpackWorkers, files: ContentFiles): ApplyLayer {
  return async ({ descriptor, diffId }, mounts, { signal }) => {
    const folders = layerFolders(mounts);
    const file = files.find(descriptor.digest);
    if (folders === undefined || file === undefined) return "again";
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

/**
 * The same from the file that containerd's content is still being written to. It counts only when containerd has
 * verified that content, and when it is the very file that was read.
 *
 * @throws why the content didn't come
 */
export function applyEarly(workers: UnpackWorkers, files: ContentFiles, arrival: Arrival): ApplyLayer {
  return async ({ descriptor, diffId }, mounts, { signal }) => {
    const { digest, size } = descriptor;
    const folders = layerFolders(mounts);
    const file = await files.findIngest(ingestRef(descriptor));
    if (folders === undefined || file === undefined) {
      await untilWhole(arrival, signal);
      return "again";
    }
    const stop = new AbortController();
    const stopping = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const job = { file, ...folders, diffId, size };
    const unpacking = workers.runEarly(job, arrival, { signal: stopping }).catch(() => undefined);
    try {
      await untilWhole(arrival, signal);
    } catch (error) {
      stop.abort(error);
      await unpacking;
      throw error;
    }
    const result = await unpacking;
    signal?.throwIfAborted();
    const whole = files.find(digest);
    if (result === undefined || whole === undefined) return "again";
    if (result.identity !== (await files.identify(whole))) return "again";
    if (result.meaning instanceof UnpackError) throw result.meaning;
    return result.meaning instanceof Error || result.meaning.leftOut > 0 ? "again" : "applied";
  };
}

async function untilWhole(arrival: Arrival, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([arrival.whole, aborted]);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
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
