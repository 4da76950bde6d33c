/**
 * What a registry knows besides bytes: which repository may show which blob, what its tags stand for, who refers
 * to whom, and which uploads are under way.
 *
 * Bytes are shared by all repositories; these links decide who sees them. Every method is one transaction that
 * other processes on the same data see whole or not at all, and what it reports as done is durable. Lists are in
 * byte order and cost what their page holds, however long the whole is.
 */
import type { Descriptor, Digest, DigestAlgorithm } from "../oci/index.ts";
import type { Garbage, Inventory } from "./collect/garbage.ts";
import type { Quota, QuotaFault } from "./limits.ts";

/** One page: what comes strictly after `after`, whether or not that still exists. */
export interface Page {
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface BlobLink {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface FindOptions {
  /** As somebody who will count on it: should it be loose, its time of grace begins again. */
  readonly touch?: boolean | undefined;
}

export interface QuotaOptions {
  readonly quotas?: readonly Quota[] | undefined;
}

export interface BlobLinks {
  findBlob(repository: string, digest: Digest, options?: FindOptions): Promise<BlobLink | undefined>;
  /**
   * Makes a stored blob visible in a repository, which begins to exist if it did not. Changes nothing where a quota
   * doesn't allow it, and says which.
   */
  linkBlob(repository: string, blob: BlobLink, options?: QuotaOptions): Promise<QuotaFault | undefined>;
  /** Whether there was a link to remove. */
  unlinkBlob(repository: string, digest: Digest): Promise<boolean>;
  /** The repositories that show a blob, sorted. */
  findBlobRepositories(digest: Digest, page: Page): Promise<readonly string[]>;
}

export interface ManifestRecord {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
}

export interface NewManifest extends ManifestRecord {
  /** The document this one refers to, and how the list of referrers describes this one. */
  readonly referrer?: { readonly subject: Digest; readonly descriptor: Descriptor } | undefined;
}

export interface PutManifestOptions extends QuotaOptions {
  /** Tags to point at the manifest. */
  readonly tags: readonly string[];
  /** Blobs the repository has to show. */
  readonly blobs: readonly Digest[];
  /** Manifests the repository has to hold; an index may list a blob as well, so either will do. */
  readonly manifests: readonly Digest[];
  /** All that the manifest names, whether or not it has to be there: `blobs` and `manifests` by default. */
  readonly links?: readonly Digest[] | undefined;
  /** Those of the tags that don't move once they are set. */
  readonly immutable?: readonly string[] | undefined;
  /** What the tag stands for at this moment: one of these digests, anything (`*`), or nothing yet. */
  readonly expect?: { readonly tag: string; readonly state: readonly string[] | "absent" } | undefined;
}

export type PutManifestOutcome =
  | { readonly kind: "stored" }
  /** Nothing was changed: the repository lacks these. */
  | { readonly kind: "missing"; readonly digests: readonly Digest[] }
  /** Nothing was changed: the tag is not as expected. */
  | { readonly kind: "conflict" }
  /** Nothing was changed: the tag stands for something else, and for good. */
  | { readonly kind: "immutable"; readonly tag: string }
  /** Nothing was changed: there is no room for it. */
  | { readonly kind: "quota"; readonly fault: QuotaFault };

export interface DeleteManifestOptions {
  /** Changes nothing where one of its tags is such. */
  readonly unlessTagged?: ((tag: string) => boolean) | undefined;
}

export interface FoundManifest extends ManifestRecord {
  /** No tag, index or subject keeps it; said only when it was touched. */
  readonly loose?: boolean | undefined;
}

export interface ReferrersPage extends Page {
  readonly artifactType?: string | undefined;
}

export interface Manifests {
  findManifest(repository: string, digest: Digest, options?: FindOptions): Promise<FoundManifest | undefined>;
  findTag(repository: string, tag: string): Promise<ManifestRecord | undefined>;
  putManifest(
    repository: string,
    manifest: NewManifest,
    options: PutManifestOptions,
  ): Promise<PutManifestOutcome>;
  /** Removes a manifest, every tag that stands for it, and its entry among the referrers of its subject. */
  deleteManifest(repository: string, digest: Digest, options?: DeleteManifestOptions): Promise<boolean>;
  deleteTag(repository: string, tag: string): Promise<boolean>;
  /** `undefined` for a repository nobody ever pushed to. */
  listTags(repository: string, page: Page): Promise<readonly string[] | undefined>;
  listRepositories(page: Page): Promise<readonly string[]>;
  /** By digest; `after` is one. */
  listReferrers(repository: string, subject: Digest, page: ReferrersPage): Promise<readonly Descriptor[]>;
}

export interface Upload {
  readonly id: string;
  readonly repository: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** What the client said it will commit to. */
  readonly algorithm?: DigestAlgorithm | undefined;
}

export interface Uploads {
  /** May be lost in a power cut, never with the process: the client then starts again. */
  createUpload(upload: Upload): Promise<void>;
  findUpload(id: string): Promise<Upload | undefined>;
  deleteUpload(id: string): Promise<boolean>;
  /**
   * Promises room for so many bytes in all to an upload, taking back an earlier promise. Changes nothing where a
   * quota doesn't allow it, and says which.
   */
  reserveUpload(
    upload: Pick<Upload, "id" | "repository">,
    bytes: number,
    options: QuotaOptions,
  ): Promise<QuotaFault | undefined>;
  /**
   * Ends an upload and makes its blob visible in the upload's repository, in one step. Where a quota doesn't allow
   * it, the upload ends all the same.
   */
  finishUpload(upload: Upload, blob: BlobLink, options?: QuotaOptions): Promise<QuotaFault | undefined>;
  listUploads(startedBefore: number): Promise<readonly Upload[]>;
}

export interface RegistryMetadata extends BlobLinks, Manifests, Uploads, AsyncDisposable {
  /** What nothing leads to any more, and everything else that whoever collects or checks has to know. */
  readonly garbage: Garbage & Inventory;
  /**
   * A number that is another one after every change to manifests or tags, by whichever process, so that a cache
   * can ask before each answer. `undefined` where nobody can tell that cheaply; nothing is cached then.
   */
  generation(): number | undefined;
}
