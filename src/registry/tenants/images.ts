import type { RegistryMetadata } from "../metadata.ts";
import { type Page, pages } from "../pages.ts";

/** What the repositories of a tenant hold together. */
export interface TenantUsage {
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  /** Bytes of blobs and manifests; a blob that two of the repositories show counts twice, as in quotas. */
  readonly bytes: number;
}

interface LookOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Repositories of which something is left. */
export async function measureTenant(
  metadata: RegistryMetadata,
  tenant: string,
  { signal }: LookOptions = {},
): Promise<TenantUsage> {
  const usage = { repositories: 0, manifests: 0, tags: 0, bytes: 0 };
  for await (const repository of repositoriesOf(metadata, tenant)) {
    signal?.throwIfAborted();
    let [held, bytes] = [0, 0];
    for await (const { size } of pages(
      (page) => metadata.garbage.listManifests(repository, page),
      digestOf,
    )) {
      held++;
      bytes += size;
    }
    usage.manifests += held;
    for await (const { size } of pages((page) => metadata.garbage.listBlobs(repository, page), digestOf)) {
      held++;
      bytes += size;
    }
    usage.bytes += bytes;
    if (held > 0) usage.repositories++;
    const tags = pages(
      async (page) => (await metadata.listTags(repository, page)) ?? [],
      (tag) => tag,
    );
    for await (const _tag of tags) usage.tags++;
  }
  return usage;
}

/** Whether anything could still be pulled. */
export async function hasImages(metadata: RegistryMetadata, tenant: string): Promise<boolean> {
  for await (const repository of repositoriesOf(metadata, tenant)) {
    if ((await metadata.garbage.listManifests(repository, { limit: 1 })).length > 0) return true;
  }
  return false;
}

/**
 * Takes every manifest and blob out of a tenant's repositories; collection frees their bytes. Tags that never move go,
 * too: whose they were is going.
 */
export async function deleteImages(
  metadata: RegistryMetadata,
  tenant: string,
  { signal }: LookOptions = {},
): Promise<void> {
  for await (const repository of repositoriesOf(metadata, tenant)) {
    for await (const { digest } of pages(
      (page) => metadata.garbage.listManifests(repository, page),
      digestOf,
    )) {
      signal?.throwIfAborted();
      await metadata.deleteManifest(repository, digest);
    }
    for await (const { digest } of pages((page) => metadata.garbage.listBlobs(repository, page), digestOf)) {
      signal?.throwIfAborted();
      await metadata.unlinkBlob(repository, digest);
    }
  }
}

/** The one that is called like the tenant, and all below. */
async function* repositoriesOf(metadata: RegistryMetadata, tenant: string): AsyncGenerator<string, void> {
  if ((await metadata.listTags(tenant, { limit: 1 })) !== undefined) yield tenant;
  const prefix = `${tenant}/`;
  const list = ({ after = prefix, limit }: Page): Promise<readonly string[]> =>
    metadata.listRepositories({ after, limit });
  for await (const name of pages(list, (one) => one)) {
    if (!name.startsWith(prefix)) return;
    yield name;
  }
}

function digestOf({ digest }: { readonly digest: string }): string {
  return digest;
}
