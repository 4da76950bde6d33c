import { join } from "node:path";

import { FileBlobStore } from "../store/index.ts";
import { openRegistry, type Registry, type RegistryOptions } from "./registry.ts";
import { openSqliteMetadata } from "./sqlite-metadata.ts";

export type RegistryDirectoryOptions = Omit<RegistryOptions, "blobs" | "metadata">;

/**
 * Opens a registry that keeps everything in one folder, creating it where it is missing:
 *
 * ```text
 * blobs/<algorithm>/<hex>   verified bytes
 * ingest/                   uploads under way
 * registry.db               links, manifests, tags, referrers, sessions
 * ```
 *
 * Several processes may serve one folder at once.
 *
 * @throws StoreError, DatabaseError when the folder can't be used
 */
export async function openRegistryDirectory(
  dir: string,
  options: RegistryDirectoryOptions = {},
): Promise<Registry> {
  await using opened = new AsyncDisposableStack();
  const blobs = opened.use(await FileBlobStore.open(dir, { now: options.clock }));
  const metadata = opened.use(openSqliteMetadata(join(dir, "registry.db"), { clock: options.clock }));
  const registry = opened.use(openRegistry({ ...options, blobs, metadata }));
  const owned = opened.move();
  const close = (): Promise<void> => owned.disposeAsync();
  return {
    handle: (request) => registry.handle(request),
    fetch: (request) => registry.fetch(request),
    purgeUploads: (wanted) => registry.purgeUploads(wanted),
    close,
    [Symbol.asyncDispose]: close,
  };
}
