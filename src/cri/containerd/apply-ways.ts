/** Two ways to fill a snapshot: by ourselves where its folders are ours to write to, or by containerd. */
import { open, stat } from "node:fs/promises";
import { readlinkSync } from "node:fs";
import { join } from "node:path";

import type { ContentStream, Descriptor, SignalOptions } from "../../oci/index.ts";
import { applyLayer, UnpackError } from "../../unpack/index.ts";
import type { ContainerdConnection } from "./connection.ts";
import type { ContainerdContent } from "./content.ts";
import { attempt } from "./failures.ts";
import { layerFolders } from "./overlay-mounts.ts";
import type { ApplyLayer } from "./snapshots.ts";

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

/** By ourselves, into the snapshot's own folder. Where that can't be, or something had to be left out, `again`. */
export function applyHere(open: LayerReader): ApplyLayer {
  return async ({ descriptor, diffId }, mounts, { signal }) => {
    const folders = layerFolders(mounts);
    if (folders === undefined) return "again";
    // containerd has verified the compressed bytes; what comes out of them is for us to verify.
    const { leftOut } = await applyLayer(await open(descriptor, { signal }), folders.upper, {
      below: folders.lower,
      whiteouts: "overlay",
      diffId,
      signal,
    });
    return leftOut.length === 0 ? "applied" : "again";
  };
}

export type LayerReader = (descriptor: Descriptor, options: SignalOptions) => Promise<ContentStream>;

/**
 * Reads layers from containerd's files where they are at hand, and over its socket elsewhere.
 *
 * @param root of containerd's content store
 */
export function layerReader(content: ContainerdContent, root: string | undefined): LayerReader {
  return async (descriptor, options) => {
    const path = root && join(root, "blobs", ...descriptor.digest.split(":"));
    const found = path ? await stat(path).catch(() => undefined) : undefined;
    return path && found?.size === descriptor.size
      ? await openFile(path)
      : await content.open(descriptor, options);
  };
}

const CHUNK = 256 * 1024;

async function openFile(path: string): Promise<ContentStream> {
  const handle = await open(path, "r");
  return {
    pump: async (consume) => {
      const buffer = Buffer.allocUnsafeSlow(CHUNK);
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, CHUNK);
        if (bytesRead === 0) return;
        await consume(buffer.subarray(0, bytesRead));
      }
    },
    close: () => handle.close(),
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
