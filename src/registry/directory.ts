import { join } from "node:path";

import { FileBlobStore } from "../store/index.ts";
import { type AccessControl, accessBy } from "./access.ts";
import type { AccessConfig } from "./access/config.ts";
import { openAccess } from "./access/open.ts";
import { openSqliteAccessStore } from "./access/sqlite-store.ts";
import { openRegistry, type Registry, type RegistryOptions } from "./registry.ts";
import type { Quota } from "./limits.ts";
import type { RegistryRules } from "./rules.ts";
import { openSqliteMetadata } from "./sqlite-metadata.ts";
import { guardTenants, TenantMemory } from "./tenants/guard.ts";
import { openSqliteTenantStore, TENANTS_FILE } from "./tenants/sqlite-store.ts";

export type RegistryDirectoryOptions = Omit<RegistryOptions, "blobs" | "metadata" | "access"> & {
  /** Who may do what: access control that is open already, or a configuration to open it by. */
  readonly access?: AccessControl | AccessConfig | undefined;
  /**
   * Keep to the tenants of the folder, now and as they come: their quotas, and where neither `access` nor `authorize`
   * says who may do what, a login for everything as soon as there is one.
   */
  readonly tenants?: boolean | undefined;
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
 * tenants.db                tenants, where `tenants` asks for them
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
  const given = await accessIn(dir, options, opened);
  const { access, quotasFor } =
    options.tenants === true ? tenantsIn(dir, options, { given, opened }) : { access: given };
  const withTenants = <Rules extends RegistryRules>(rules: Rules): Rules =>
    quotasFor === undefined ? rules : { ...rules, limits: { ...rules.limits, quotasFor } };
  const registry = opened.use(openRegistry({ ...withTenants(options), blobs, metadata, access }));
  const owned = opened.move();
  const close = (): Promise<void> => owned.disposeAsync();
  return {
    handle: (request) => registry.handle(request),
    fetch: (request) => registry.fetch(request),
    collect: (wanted) => registry.collect(wanted),
    setRules: (rules) => registry.setRules(withTenants(rules)),
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

function tenantsIn(
  dir: string,
  { authorize, clock, onFailure }: RegistryDirectoryOptions,
  { given, opened }: { readonly given: AccessControl | undefined; readonly opened: AsyncDisposableStack },
): { readonly access: AccessControl; readonly quotasFor: (repository: string) => readonly Quota[] } {
  const memory = new TenantMemory(opened.use(openSqliteTenantStore(join(dir, TENANTS_FILE))));
  const openClosed = async (): Promise<AccessControl> => {
    await using own = new AsyncDisposableStack();
    const store = own.use(openSqliteAccessStore(join(dir, ACCESS_FILE)));
    const control = own.use(await openAccess({}, { store, clock, onFailure }));
    const owned = own.move();
    return {
      authorize: control.authorize,
      viewFor: (request) => control.viewFor(request),
      lockedOut: () => control.lockedOut?.() ?? [],
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  };
  const decided = given ?? (authorize === undefined ? undefined : accessBy(authorize));
  const access = opened.use(guardTenants({ memory, access: decided, openClosed }));
  return { access, quotasFor: (repository) => memory.quotasFor(repository) };
}
