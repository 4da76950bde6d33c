/** What `dray cri --containerd` serves from. */
import { join } from "node:path";

import { ContainerdBackend, type ContainerdBackendOptions } from "../../cri/index.ts";
import { UsageError } from "../errors.ts";
import { readSocket } from "../settings.ts";

export interface ContainerdOptions {
  /** The path of its socket. */
  readonly address: string;
  /** Its own default is `overlayfs`. */
  readonly snapshotter?: string | undefined;
}

/** `undefined` without an address: then a store of ours is served. */
export function readContainerd(
  values: { readonly containerd?: string | undefined; readonly snapshotter?: string | undefined },
  cwd: string,
): ContainerdOptions | undefined {
  const { snapshotter } = values;
  const address = readSocket(values.containerd, "--containerd", cwd);
  if (address !== undefined) return { address, snapshotter };
  if (snapshotter !== undefined) throw new UsageError("Option --snapshotter needs --containerd beside it");
  return undefined;
}

type Common = Omit<ContainerdBackendOptions, "address" | "snapshotter" | "folder">;

/** @throws CriError `CONTAINERD_UNAVAILABLE`, `CONTAINERD_FAILED` */
export async function openContainerdBackend(
  { address, snapshotter }: ContainerdOptions,
  { dataDir, ...common }: Common & { readonly dataDir: string },
): Promise<ContainerdBackend> {
  return await ContainerdBackend.open({
    address,
    snapshotter,
    folder: join(dataDir, "containerd"),
    ...common,
  });
}
