import { join } from "node:path";

import { FileLock } from "../../internal/file-lock.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import {
  ACCESS_FILE,
  openSqliteAccessStore,
  openSqliteMetadata,
  openSqliteTenantStore,
  type RegistryMetadata,
  RegistryError,
  TENANTS_FILE,
  type TenantStores,
} from "../../registry/index.ts";
import { wait } from "../../internal/wait.ts";
import type { CommandContext } from "../context.ts";
import { type FolderValues, resolveRegistry } from "../registry/options.ts";

/** What a registry knows of its tenants, whether or not somebody serves it. */
export interface OpenedTenants extends TenantStores, AsyncDisposable {
  readonly folder: string;
  /** Whether the configuration says who may do what, tenants or not. */
  readonly guarded: boolean;
  readonly metadata: () => RegistryMetadata;
}

/** Who comes second waits so long for the first, which may have a slow cluster to talk to. */
const PATIENCE = 30_000;
const LOOK = 100;

/**
 * @param options with `change`, nobody else changes tenants of this registry meanwhile
 * @throws RegistryError `TENANT_BUSY`
 */
export async function openTenants(
  values: FolderValues,
  context: CommandContext,
  options: { readonly change: boolean },
): Promise<OpenedTenants> {
  const { folder, settings } = await resolveRegistry(values, context);
  makeFolder(folder, { mode: 0o700 });
  await using stack = new AsyncDisposableStack();
  if (options.change) stack.use(await lock(join(folder, "tenants.lock"), context.signal));
  const tenants = stack.use(openSqliteTenantStore(join(folder, TENANTS_FILE)));
  const access = stack.use(openSqliteAccessStore(join(folder, ACCESS_FILE)));
  let opened: (RegistryMetadata & AsyncDisposable) | undefined;
  const metadata = (): RegistryMetadata => (opened ??= openSqliteMetadata(join(folder, "registry.db")));
  stack.defer(async () => await opened?.[Symbol.asyncDispose]());
  const owned = stack.move();
  const guarded = settings.access !== undefined;
  return { folder, guarded, tenants, access, metadata, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The kernel lets go of it when we die, so the next run can go on at once. */
async function lock(path: string, signal: AbortSignal): Promise<FileLock> {
  for (const end = performance.now() + PATIENCE; ;) {
    const found = FileLock.tryAcquire(path);
    if (found !== undefined) return found;
    if (performance.now() > end) {
      const message = `Cannot change the tenants in ${JSON.stringify(path)}: another dray tenant has been at it for a while; wait for it, or end it`;
      throw new RegistryError("TENANT_BUSY", message);
    }
    await wait(LOOK, { signal });
  }
}
