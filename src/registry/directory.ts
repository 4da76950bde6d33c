import { join } from "node:path";

import { FileBlobStore } from "../store/index.ts";
import type { AccessControl } from "./access.ts";
import type { AccessConfig } from "./access/config.ts";
import { openAccess } from "./access/open.ts";
import { openSqliteAccessStore } from "./access/sqlite-store.ts";
import { openRegistry, type Registry, type RegistryOptions } from "./registry.ts";
import { openSqliteMetadata } from "./sqlite-metadata.ts";

export type RegistryDirectoryOptions = Omit<RegistryOptions, "blobs" | "metadata" | "access"> & {
  /** Who may do what: access control that is open already, or a configuration to open it by. */
  readonly access?: AccessControl | AccessConfig | undefined;
};

/** Beside it, robots can be managed while the registry runs. */
export const ACCESS_FILE = "access.db";

/**
 * Opens a registry that keeps everything in one folder, creating it where it is missing:
 *
 * ```text
 * blobs/<algorithm>/<hex>   verified bytes
 * ingest/                   uploads under way
 * registry.db               links, manifests, tags, referrers, sessions
 * access.db                 robots, users, refresh tokens and keys, where `access` is a configuration
 * ```
 *
 * Several processes may serve one folder at once.
 *
 * @throws StoreError, DatabaseError when the folder can't be used; RegistryError when the configuration can't
 */
export async function openRegistryDirectory(
  dir: string,
  options: RegistryDirectoryOptions = {},
): Promise<Registry> {
  await using opened = new AsyncDisposableStack();
  const blobs = opened.use(await FileBlobStore.open(dir, { now: options.clock }));
  const metadata = opened.use(openSqliteMetadata(join(dir, "registry.db"), { clock: options.clock }));
  const access = await accessIn(dir, options, opened);
  const registry = opened.use(openRegistry({ ...options, blobs, metadata, access }));
  const owned = opened.move();
  const close = (): Promise<void> => owned.disposeAsync();
  return {
    handle: (request) => registry.handle(request),
    fetch: (request) => registry.fetch(request),
    collect: (wanted) => registry.collect(wanted),
    purgeUploads: (wanted) => registry.purgeUploads(wanted),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function accessIn(
  dir: string,
  options: RegistryDirectoryOptions,
  opened: AsyncDisposableStack,
): Promise<AccessControl | undefined> {
  const { access, clock, onFailure } = options;
  if (access === undefined || "authorize" in access) return access;
  const store = opened.use(openSqliteAccessStore(join(dir, ACCESS_FILE)));
  return opened.use(await openAccess(access, { store, clock, onFailure }));
}
