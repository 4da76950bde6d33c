/**
 * What a registry knows of its garbage, kept up to date with every change, so that finding it costs what there is
 * of it, not what the registry holds.
 *
 * Nothing is garbage at once. What loses its last reason to stay is *loose* from that moment on, and may be dropped
 * once it was so for the time of grace; whoever names it before saves it. Dropping asks again, in one transaction
 * with the deletion: what was pushed, named or asked for in between stays.
 */
import type { Digest } from "../../oci/index.ts";
import type { BlobLink, ManifestRecord } from "../metadata.ts";

/** How often, in milliseconds, what is asked for again and again is written down as asked for. */
export const LOOSE_TOUCH_INTERVAL = 1_000;

/**
 * - `blob`: no manifest of its repository names it
 * - `manifest`: no tag and no index of its repository names it
 * - `referrer`: such a manifest whose subject isn't in its repository, either
 */
export type LooseKind = "blob" | "manifest" | "referrer";

/** Something that a repository shows for no reason any more. */
export interface Loose {
  readonly repository: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** When it became so, or was last asked for; milliseconds since the epoch. */
  readonly since: number;
}

export interface LoosePage {
  readonly kind: LooseKind;
  /** Loose since this time or longer; milliseconds since the epoch. */
  readonly before: number;
  /** One repository's only. */
  readonly repository?: string | undefined;
  /** Where the page before ended. */
  readonly after?: Loose | undefined;
  readonly limit: number;
}

/** Bytes of the store that may have nobody to show them. */
export interface Unshown {
  readonly digest: Digest;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** How many repositories show it, as a blob or as a manifest; some do when it was found again. */
  readonly shown: number;
}

export interface TagRecord {
  readonly name: string;
  readonly digest: Digest;
  /** Milliseconds since the epoch. */
  readonly taggedAt: number;
}

/** Who names what; pages are oldest first. */
export interface Garbage {
  /**
   * Says that bytes are about to be stored which nothing shows yet: should nobody come to show them, they are found
   * here. May be lost in a power cut, never with the process.
   */
  expectContent(digest: Digest): Promise<void>;
  /** Manifests of an older dray, of which nobody noted what they name. Until there are none, nothing is dropped. */
  listUnread(limit: number): Promise<readonly (ManifestRecord & { readonly repository: string })[]>;
  recordLinks(repository: string, manifest: Digest, targets: readonly Digest[]): Promise<void>;

  listLoose(page: LoosePage): Promise<readonly Loose[]>;
  /** Takes those out of their repositories that are still loose for so long; says which. */
  dropLooseBlobs(blobs: readonly Loose[], before: number): Promise<readonly Loose[]>;
  /** The same for manifests; those they named begin to be loose at `since`, blobs now. */
  dropLooseManifests(
    manifests: readonly Loose[],
    options: { readonly before: number; readonly since?: number | undefined },
  ): Promise<readonly Loose[]>;

  listUnshown(page: {
    readonly before: number;
    readonly after?: Unshown | undefined;
    readonly limit: number;
  }): Promise<readonly Unshown[]>;
  /** Whether it is among the content that may have nobody to show it. */
  isExpected(digest: Digest): Promise<boolean>;
  /** How many repositories show it, as a blob or as a manifest. */
  countShown(digest: Digest): Promise<number>;
  /** Its bytes are gone, or somebody shows them; unless they were expected again since `before`. */
  forgetUnshown(digest: Digest, before: number): Promise<void>;

  listTagRecords(
    repository: string,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly TagRecord[]>;
  /** Deletes those that nobody moved meanwhile; says which. */
  dropTags(repository: string, tags: readonly TagRecord[]): Promise<readonly TagRecord[]>;
}

/** Where several repositories are looked through for faults. */
export interface Inventory {
  listBlobs(
    repository: string,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly BlobLink[]>;
  listManifests(
    repository: string,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly ManifestRecord[]>;
  /** What is noted of a manifest: what it names, and what it refers to. */
  findLinks(
    repository: string,
    manifest: Digest,
  ): Promise<{ readonly targets: readonly Digest[]; readonly subject: Digest | undefined } | undefined>;
  /** Works out anew what is loose in a repository, and how much there is; how many notes were wrong. */
  reconcile(repository: string, options: { readonly repair: boolean }): Promise<number>;
}
