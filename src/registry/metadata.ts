/**
 * What a registry knows besides bytes: which repository may show which blob, what its tags stand for, who refers
 * to whom, and which uploads are under way.
 *
 * Bytes are shared by all repositories; these links decide who sees them. Every method is one transaction that
 * other processes on the same data see whole or not at all, and what it reports as done is durable. Lists are in
 * byte order and cost what their page holds, however long the whole is.
 */
import type { Descriptor, Digest, DigestAlgorithm } from "../oci/index.ts";

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

export interface BlobLinks {
  findBlob(repository: string, digest: Digest): Promise<BlobLink | undefined>;
  /** Makes a stored blob visible in a repository, which begins to exist if it did not. */
  linkBlob(repository: string, blob: BlobLink): Promise<void>;
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

export interface PutManifestOptions {
  /** Tags to point at the manifest. */
  readonly tags: readonly string[];
  /** Blobs the repository has to show. */
  readonly blobs: readonly Digest[];
  /** Manifests the repository has to hold; an index may list a blob as well, so either will do. */
  readonly manifests: readonly Digest[];
  /** What the tag stands for at this moment: one of these digests, anything (`*`), or nothing yet. */
  readonly expect?: { readonly tag: string; readonly state: readonly string[] | "absent" } | undefined;
}

export type PutManifestOutcome =
  | { readonly kind: "stored" }
  /** Nothing was changed: the repository lacks these. */
  | { readonly kind: "missing"; readonly digests: readonly Digest[] }
  /** Nothing was changed: the tag is not as expected. */
  | { readonly kind: "conflict" };

export interface ReferrersPage extends Page {
  readonly artifactType?: string | undefined;
}

export interface Manifests {
  findManifest(repository: string, digest: Digest): Promise<ManifestRecord | undefined>;
  findTag(repository: string, tag: string): Promise<ManifestRecord | undefined>;
  putManifest(
    repository: string,
    manifest: NewManifest,
    options: PutManifestOptions,
  ): Promise<PutManifestOutcome>;
  /** Removes a manifest, every tag that stands for it, and its entry among the referrers of its subject. */
  deleteManifest(repository: string, digest: Digest): Promise<boolean>;
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
  /** Ends an upload and makes its blob visible in the upload's repository, in one step. */
  finishUpload(upload: Upload, blob: BlobLink): Promise<void>;
  listUploads(startedBefore: number): Promise<readonly Upload[]>;
}

export interface RegistryMetadata extends BlobLinks, Manifests, Uploads, AsyncDisposable {
  /**
   * A number that is another one after every change to manifests or tags, by whichever process, so that a cache
   * can ask before each answer. `undefined` where nobody can tell that cheaply; nothing is cached then.
   */
  generation(): number | undefined;
}
