/**
 * Collects garbage while the registry serves:
 *
 * ```text
 * unread manifests ─► note what they name          only after an update from an older dray
 * loose blobs      ─► out of their repository      one transaction for each batch, which asks again
 * unshown content  ─► out of the store             bytes last: the metadata has forgotten them by then
 * ```
 *
 * Each list holds garbage alone and is kept by pushes and deletes themselves, so a run costs what there is to collect,
 * however much the registry holds. A run that dies anywhere leaves rows behind that the next one goes on with.
 *
 * Bytes go in two steps that need no lock: ask who shows them, then delete them unless they were touched within the
 * time of grace. Whoever shows bytes touches them afterwards, and so is seen by the first step, or spared by the
 * second, or sees that they are gone.
 */
import type { Digest } from "../../oci/index.ts";
import { TOUCH_INTERVAL, type BlobStore } from "../../store/index.ts";
import { findDigests, readPushedDocument } from "../document.ts";
import { readContent } from "../read-content.ts";
import type { ManifestRecord, RegistryMetadata } from "../metadata.ts";
import type { Loose, Unshown } from "./garbage.ts";
import { Pace, type PaceOptions } from "./pace.ts";

export const GRACE: number = 60 * 60 * 1_000;
/** Of one transaction, during which other writers wait. */
const BATCH = 64;

export interface CollectScope {
  readonly blobs: BlobStore;
  readonly metadata: RegistryMetadata;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

export interface CollectVerdict {
  /** A blob of one repository, or bytes of the store. */
  readonly kind: "blob" | "content";
  readonly repository?: string | undefined;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly keep: boolean;
  /**
   * - `unnamed`: no manifest of the repository names it
   * - `unshown`: no repository shows it
   * - `recent`: one of these, but not for long enough, or somebody asked for it lately
   */
  readonly reason: "unnamed" | "unshown" | "recent";
}

export interface CollectGarbageOptions extends PaceOptions {
  /** Only say what would go; no by default. */
  readonly dryRun?: boolean | undefined;
  /**
   * Milliseconds for which whatever somebody pushed or was told of stays, named or not; an hour by default. For bytes
   * it is never less than a minute.
   */
  readonly grace?: number | undefined;
  /** Whether bytes go, too; no where others than the registry keep theirs in the same store. Yes by default. */
  readonly deleteContent?: boolean | undefined;
  readonly onVerdict?: ((verdict: CollectVerdict) => void) | undefined;
}

export interface Tally {
  readonly count: number;
  /** Bytes. */
  readonly bytes: number;
}

export interface CollectGarbageResult {
  /** Whether there was time for everything. */
  readonly finished: boolean;
  /** What repositories don't show any more, or would not. */
  readonly repositories: ReadonlyMap<string, Tally>;
  /** Bytes that the store doesn't hold any more, or would not. */
  readonly freed: Tally;
  /** Garbage that was looked at, whatever became of it: what the run cost. */
  readonly examined: number;
}

export async function collectGarbage(
  scope: CollectScope,
  options: CollectGarbageOptions = {},
): Promise<CollectGarbageResult> {
  return await new Collection(scope, options).run();
}

class Collection {
  readonly #scope: CollectScope;
  readonly #options: CollectGarbageOptions;
  readonly #pace: Pace;
  readonly #now: number;
  readonly #repositories = new Map<string, { count: number; bytes: number }>();
  readonly #freed = { count: 0, bytes: 0 };
  /** In a dry run: how many repositories would stop to show it. */
  readonly #wouldHide = new Map<Digest, { times: number; readonly size: number }>();
  #examined = 0;

  constructor(scope: CollectScope, options: CollectGarbageOptions) {
    this.#scope = scope;
    this.#options = options;
    this.#pace = new Pace(options);
    this.#now = scope.clock();
  }

  async run(): Promise<CollectGarbageResult> {
    const finished = (await this.#readUnread()) && (await this.#dropBlobs()) && (await this.#deleteContent());
    if (this.#options.dryRun === true) await this.#tellWhatWouldFollow();
    return {
      finished,
      repositories: this.#repositories,
      freed: this.#freed,
      examined: this.#examined,
    };
  }

  get #looseSince(): number {
    return this.#now - (this.#options.grace ?? GRACE);
  }

  get #untouchedSince(): number {
    return this.#now - Math.max(this.#options.grace ?? GRACE, TOUCH_INTERVAL);
  }

  async #readUnread(): Promise<boolean> {
    const { garbage } = this.#scope.metadata;
    for (;;) {
      const manifests = await garbage.listUnread(BATCH);
      if (manifests.length === 0) return true;
      for (const manifest of manifests) {
        await this.#pace.step();
        if (this.#pace.isOver) return false;
        const links = await readLinks(this.#scope.blobs, manifest);
        await garbage.recordLinks(manifest.repository, manifest.digest, links);
      }
    }
  }

  async #dropBlobs(): Promise<boolean> {
    const { garbage } = this.#scope.metadata;
    const { dryRun = false } = this.#options;
    // What is too young is worth a line only to somebody who reads what would be done.
    const before = dryRun ? Number.MAX_SAFE_INTEGER : this.#looseSince;
    let after: Loose | undefined;
    for (;;) {
      const page = await garbage.listLoose({ kind: "blob", before, after, limit: BATCH });
      if (page.length === 0) return true;
      this.#examined += page.length;
      const old = page.filter((blob) => blob.since <= this.#looseSince);
      const dropped = new Set(dryRun ? old : await garbage.dropLooseBlobs(old, this.#looseSince));
      for (const blob of page) this.#tellBlob(blob, dropped.has(blob));
      after = page.at(-1);
      await this.#pace.step();
      if (this.#pace.isOver) return false;
    }
  }

  #tellBlob(blob: Loose, dropped: boolean): void {
    const { repository, digest, size } = blob;
    const reason = dropped ? "unnamed" : "recent";
    this.#options.onVerdict?.({ kind: "blob", repository, digest, size, keep: !dropped, reason });
    if (!dropped) return;
    const tally = this.#repositories.get(repository) ?? { count: 0, bytes: 0 };
    this.#repositories.set(repository, { count: tally.count + 1, bytes: tally.bytes + size });
    if (this.#options.dryRun !== true) return;
    const hidden = this.#wouldHide.get(digest) ?? { times: 0, size };
    hidden.times++;
    this.#wouldHide.set(digest, hidden);
  }

  async #deleteContent(): Promise<boolean> {
    const { garbage } = this.#scope.metadata;
    const before = this.#options.dryRun === true ? Number.MAX_SAFE_INTEGER : this.#untouchedSince;
    let after: Unshown | undefined;
    for (;;) {
      const page = await garbage.listUnshown({ before, after, limit: BATCH });
      if (page.length === 0) return true;
      for (const row of page) {
        this.#examined++;
        await this.#deleteBytes(row);
        await this.#pace.step();
        if (this.#pace.isOver) return false;
      }
      after = page.at(-1);
    }
  }

  async #deleteBytes(row: Unshown): Promise<void> {
    const { blobs, metadata } = this.#scope;
    const { dryRun = false, deleteContent = true } = this.#options;
    const { digest, since, shown } = row;
    const info = shown > 0 ? undefined : await blobs.find(digest);
    if (info === undefined || !deleteContent) {
      if (!dryRun) await metadata.garbage.forgetUnshown(digest, since);
      return;
    }
    const unusedSince = this.#untouchedSince;
    const old = since <= unusedSince && info.time <= unusedSince;
    const gone = old && (dryRun || (await blobs.delete(digest, { unusedSince })));
    this.#tellContent(digest, info.size, gone);
    if (gone && !dryRun) await metadata.garbage.forgetUnshown(digest, since);
  }

  #tellContent(digest: Digest, size: number, gone: boolean): void {
    const reason = gone ? "unshown" : "recent";
    this.#options.onVerdict?.({ kind: "content", digest, size, keep: !gone, reason });
    if (!gone) return;
    this.#freed.count++;
    this.#freed.bytes += size;
  }

  /** Bytes that only those show which would not any more. */
  async #tellWhatWouldFollow(): Promise<void> {
    if (this.#options.deleteContent === false) return;
    for (const [digest, { times, size }] of this.#wouldHide) {
      await this.#pace.step();
      if ((await this.#scope.metadata.garbage.countShown(digest)) > times) continue;
      const info = await this.#scope.blobs.find(digest);
      this.#tellContent(digest, size, (info?.time ?? 0) <= this.#untouchedSince);
    }
  }
}

/** What a stored manifest names; everything that looks like it, where it can't be read as what it was pushed as. */
export async function readLinks(blobs: BlobStore, manifest: ManifestRecord): Promise<readonly Digest[]> {
  const bytes = await readContent(blobs, manifest);
  if (bytes === undefined) return [];
  try {
    const document = readPushedDocument(bytes, manifest.mediaType, bytes.length);
    return "fault" in document ? findDigests(bytes) : document.links;
  } catch {
    return findDigests(bytes);
  }
}
