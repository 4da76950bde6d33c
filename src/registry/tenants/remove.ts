import { deleteRobot } from "../access/robots.ts";
import { RegistryError } from "../errors.ts";
import type { RegistryMetadata } from "../metadata.ts";
import type { TenantDelivery } from "./delivery.ts";
import { deleteImages, hasImages } from "./images.ts";
import { type TenantStores, write } from "./renew.ts";
import { findTenantRobot } from "./robots.ts";
import { TENANT_USES, tenantRobot, type TenantRecord } from "./tenant.ts";

export interface DeleteTenantOptions {
  readonly metadata: RegistryMetadata;
  /** Without it, what lies in namespaces is somebody else's to take away. */
  readonly delivery?: TenantDelivery | undefined;
  /** What becomes of the tenant's images; without a word, a tenant that has any isn't deleted. */
  readonly images?: "keep" | "delete" | undefined;
  /** Milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Deletes a tenant, or goes on where an earlier attempt ended before its time. Images that are kept stay nobody's: no
 * robot sees them, and a new tenant of that name has them. Deleting such a rest with `images: "delete"` ends it, too.
 *
 * @returns whether images were kept
 * @throws RegistryError `TENANT_UNKNOWN`, `TENANT_HOLDS_IMAGES`, `TENANT_BUSY`
 */
export async function deleteTenant(
  stores: TenantStores,
  name: string,
  options: DeleteTenantOptions,
): Promise<{ readonly kept: boolean }> {
  const { metadata, delivery, signal, clock = Date.now } = options;
  const found = await stores.tenants.find(name);
  if (found === undefined) {
    const message = `Cannot delete tenant ${JSON.stringify(name)}: there is none of that name`;
    throw new RegistryError("TENANT_UNKNOWN", message);
  }
  const decided = options.images ?? (found.change?.kind === "delete" ? found.change.images : undefined);
  if (decided === undefined && (await hasImages(metadata, name))) {
    const message = `Cannot delete tenant ${JSON.stringify(name)}: it has images; say what becomes of them, with --keep-images or --delete-images`;
    throw new RegistryError("TENANT_HOLDS_IMAGES", message);
  }
  const images = decided ?? "delete";
  const change = { kind: "delete", step: "remove", startedAt: clock(), images } as const;
  const tenant = await write(stores, { ...found, change });
  for (const namespace of tenant.namespaces) {
    signal?.throwIfAborted();
    await delivery?.remove(namespace);
  }
  await endRobots(stores, name);
  if (images === "delete") await deleteImages(metadata, name, { signal });
  // A push that was let in before its robot ended may have come to its end only now.
  const kept = images === "keep" && (await hasImages(metadata, name));
  if (!kept) {
    await stores.tenants.delete(name, tenant.revision);
    return { kept };
  }
  await write(stores, rest(tenant, clock()));
  return { kept };
}

/**
 * Undoes the beginning of a tenant whose logins reached nobody, as when the registry turned out to be another one.
 */
export async function undoTenant(stores: TenantStores, name: string): Promise<void> {
  const tenant = await stores.tenants.find(name);
  if (tenant === undefined) return;
  await endRobots(stores, name);
  await stores.tenants.delete(name, tenant.revision);
}

async function endRobots(stores: TenantStores, name: string): Promise<void> {
  for (const use of TENANT_USES) {
    if ((await findTenantRobot(stores, name, use)) !== undefined) {
      await deleteRobot(stores.access, tenantRobot(name, use));
    }
  }
}

/** What guards the images that a tenant left. */
function rest(tenant: TenantRecord, deletedAt: number): TenantRecord {
  const { change: _change, cluster: _cluster, ...known } = tenant;
  return { ...known, quota: {}, namespaces: [], deletedAt };
}
