/**
 * Looks through everything a registry keeps, while it serves or not:
 *
 * ```text
 * store         ─► every blob is read again and hashed; does some repository show it?
 * repositories  ─► are the bytes of every blob and manifest there? is what a manifest names noted, and here?
 * ```
 *
 * Repairing never invents access: what a repository doesn't show stays unseen, even where the store has it.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";

import { digestAlgorithm, OciError, type Digest } from "../../oci/index.ts";
import { FileBlobStore, StoreError, type BlobInfo, type BlobStore } from "../../store/index.ts";
import { readPushedDocument, type PushedDocument } from "../document.ts";
import type { ManifestRecord, RegistryMetadata } from "../metadata.ts";
import { readContent } from "../read-content.ts";
import { openSqliteMetadata } from "../sqlite-metadata.ts";
import { readLinks } from "./collect.ts";
import { Pace, type PaceOptions } from "./pace.ts";

const PAGE = 256;

/**
 * - `CONTENT_DAMAGED`: bytes are not those of their digest. Repair deletes them, so that the next push brings them again
 * - `CONTENT_UNREADABLE`: the disk doesn't give them
 * - `CONTENT_UNSHOWN`: no repository shows them and nobody noted it. Repair notes it for the collection
 * - `BLOB_MISSING`: a repository shows a blob whose bytes are gone, or of another size. Repair takes it out, so that
 *   clients push it again instead of being told that it is there
 * - `MANIFEST_MISSING`: the bytes of a manifest are gone; pushing it again mends it
 * - `MANIFEST_INVALID`: a manifest can't be read as what it was pushed as
 * - `PART_MISSING`: a manifest names what its repository doesn't show; its image can't be pulled
 * - `LINKS_WRONG`: it isn't noted right what a manifest names or refers to. Repair notes it
 * - `NOTES_WRONG`: what is loose, or how much there is, isn't noted right. Repair notes it
 */
export type CheckCode =
  | "CONTENT_DAMAGED"
  | "CONTENT_UNREADABLE"
  | "CONTENT_UNSHOWN"
  | "BLOB_MISSING"
  | "MANIFEST_MISSING"
  | "MANIFEST_INVALID"
  | "PART_MISSING"
  | "LINKS_WRONG"
  | "NOTES_WRONG";

export interface Finding {
  readonly code: CheckCode;
  readonly repository?: string | undefined;
  readonly digest?: Digest | undefined;
  /** The part that is missing, and how many notes were wrong: whatever there is to say. */
  readonly detail?: string | undefined;
  readonly repaired: boolean;
}

export interface CheckOptions extends PaceOptions {
  /** Mend what can be mended; no by default. */
  readonly repair?: boolean | undefined;
  /** Whether manifests of a repository may name what isn't here, as those of a mirror do; no by default. */
  readonly sparse?: ((repository: string) => boolean) | undefined;
  /** Whether to read and hash all content again; yes by default. Without it only sizes are compared. */
  readonly verify?: boolean | undefined;
  readonly onFinding?: ((finding: Finding) => void) | undefined;
}

export interface CheckResult {
  readonly content: { readonly count: number; readonly bytes: number };
  readonly repositories: number;
  readonly manifests: number;
  /** How often each was found. */
  readonly found: ReadonlyMap<CheckCode, number>;
  /** Of all findings. */
  readonly repaired: number;
  /** Findings that need somebody to push again, or a look at the disk. */
  readonly left: number;
}

export interface CheckScope {
  readonly blobs: BlobStore;
  readonly metadata: RegistryMetadata;
}

/** @throws StoreError, DatabaseError when the data can't be used at all */
export async function checkRegistry(scope: CheckScope, options: CheckOptions = {}): Promise<CheckResult> {
  return await new Check(scope, options).run();
}

/** The same for a registry's folder, which may be in use. */
export async function checkRegistryDirectory(dir: string, options: CheckOptions = {}): Promise<CheckResult> {
  await using blobs = await FileBlobStore.open(dir);
  await using metadata = openSqliteMetadata(join(dir, "registry.db"));
  return await checkRegistry({ blobs, metadata }, options);
}

class Check {
  readonly #scope: CheckScope;
  readonly #options: CheckOptions;
  readonly #pace: Pace;
  readonly #found = new Map<CheckCode, number>();
  readonly #content = { count: 0, bytes: 0 };
  #manifests = 0;
  #repaired = 0;
  #left = 0;

  constructor(scope: CheckScope, options: CheckOptions) {
    this.#scope = scope;
    this.#options = options;
    this.#pace = new Pace({ workTime: 50, pauseTime: 5, ...options });
  }

  async run(): Promise<CheckResult> {
    const { signal } = this.#options;
    for await (const blob of this.#scope.blobs.list({ signal })) {
      this.#content.count++;
      this.#content.bytes += blob.size;
      await this.#checkContent(blob);
      await this.#pace.step();
    }
    const { metadata } = this.#scope;
    let repositories = 0;
    for await (const name of paged((after) => metadata.listRepositories({ after, limit: PAGE }), String)) {
      repositories++;
      await this.#checkRepository(name);
    }
    return {
      content: this.#content,
      repositories,
      manifests: this.#manifests,
      found: this.#found,
      repaired: this.#repaired,
      left: this.#left,
    };
  }

  get #repairs(): boolean {
    return this.#options.repair === true;
  }

  #tell(finding: Finding): void {
    this.#found.set(finding.code, (this.#found.get(finding.code) ?? 0) + 1);
    if (finding.repaired) this.#repaired++;
    else this.#left++;
    this.#options.onFinding?.(finding);
  }

  async #checkContent({ digest, size }: BlobInfo): Promise<void> {
    const { blobs, metadata } = this.#scope;
    const fault = this.#options.verify === false ? undefined : await this.#verify(digest, size);
    if (fault !== undefined) {
      const repaired = this.#repairs && fault === "CONTENT_DAMAGED" && (await blobs.delete(digest));
      return this.#tell({ code: fault, digest, repaired });
    }
    if ((await metadata.garbage.countShown(digest)) > 0 || (await metadata.garbage.isExpected(digest)))
      return;
    // Maybe it was collected since it was listed.
    if ((await blobs.find(digest)) === undefined) return;
    if (this.#repairs) await metadata.garbage.expectContent(digest);
    this.#tell({ code: "CONTENT_UNSHOWN", digest, repaired: this.#repairs });
  }

  async #verify(digest: Digest, size: number): Promise<"CONTENT_DAMAGED" | "CONTENT_UNREADABLE" | undefined> {
    const { signal } = this.#options;
    try {
      const descriptor = { digest, size, mediaType: "application/octet-stream" };
      const stream = await this.#scope.blobs.open(descriptor, { signal });
      try {
        const hash = createHash(digestAlgorithm(digest));
        await stream.pump(async (chunk) => {
          hash.update(chunk);
          await this.#pace.step();
        });
        return digest.endsWith(`:${hash.digest("hex")}`) ? undefined : "CONTENT_DAMAGED";
      } finally {
        await stream.close();
      }
    } catch (error) {
      signal?.throwIfAborted();
      // Collected meanwhile, which is no fault.
      if (error instanceof OciError && error.code === "BLOB_UNKNOWN") return undefined;
      if (error instanceof OciError) return "CONTENT_DAMAGED";
      if (error instanceof StoreError) return "CONTENT_UNREADABLE";
      throw error;
    }
  }

  async #checkRepository(repository: string): Promise<void> {
    const { garbage } = this.#scope.metadata;
    const digestOf = ({ digest }: { readonly digest: Digest }): string => digest;
    const blobs = paged((after) => garbage.listBlobs(repository, { after, limit: PAGE }), digestOf);
    for await (const { digest, size } of blobs) {
      await this.#checkBlob(repository, digest, size);
      await this.#pace.step();
    }
    const manifests = paged((after) => garbage.listManifests(repository, { after, limit: PAGE }), digestOf);
    for await (const manifest of manifests) {
      this.#manifests++;
      await this.#checkManifest(repository, manifest);
      await this.#pace.step();
    }
    const wrong = await garbage.reconcile(repository, { repair: this.#repairs });
    if (wrong > 0) {
      this.#tell({ code: "NOTES_WRONG", repository, detail: String(wrong), repaired: this.#repairs });
    }
  }

  async #checkBlob(repository: string, digest: Digest, size: number): Promise<void> {
    const { blobs, metadata } = this.#scope;
    if ((await blobs.find(digest))?.size === size) return;
    // It may have been deleted since it was listed.
    if ((await metadata.findBlob(repository, digest)) === undefined) return;
    const repaired = this.#repairs && (await metadata.unlinkBlob(repository, digest));
    this.#tell({ code: "BLOB_MISSING", repository, digest, repaired });
  }

  async #checkManifest(repository: string, manifest: ManifestRecord): Promise<void> {
    const { blobs, metadata } = this.#scope;
    const { digest } = manifest;
    const bytes =
      (await blobs.find(digest))?.size === manifest.size ? await readContent(blobs, manifest) : undefined;
    if (bytes === undefined) {
      if ((await metadata.findManifest(repository, digest)) !== undefined) {
        this.#tell({ code: "MANIFEST_MISSING", repository, digest, repaired: false });
      }
      return;
    }
    const document = read(bytes, manifest.mediaType);
    if (document === undefined) this.#tell({ code: "MANIFEST_INVALID", repository, digest, repaired: false });
    await this.#checkLinks(repository, manifest, document);
    if (this.#options.sparse?.(repository) === true) return;
    for (const part of [...(document?.blobs ?? []), ...(document?.manifests ?? [])]) {
      const here =
        (await metadata.findBlob(repository, part)) ?? (await metadata.findManifest(repository, part));
      if (here === undefined) {
        this.#tell({ code: "PART_MISSING", repository, digest, detail: part, repaired: false });
      }
    }
  }

  async #checkLinks(
    repository: string,
    manifest: ManifestRecord,
    document: PushedDocument | undefined,
  ): Promise<void> {
    const { blobs, metadata } = this.#scope;
    const { garbage } = metadata;
    const { digest } = manifest;
    const links = new Set(document?.links ?? (await readLinks(blobs, manifest)));
    const noted = await garbage.findLinks(repository, digest);
    // Not noted yet is no fault: the next collection does it.
    if (noted === undefined) return;
    const right =
      noted.subject === document?.subject &&
      noted.targets.length === links.size &&
      noted.targets.every((target) => links.has(target));
    if (right) return;
    if (this.#repairs) {
      await garbage.recordLinks(repository, digest, [...links]);
      const subject = document?.subject;
      if (document !== undefined && subject !== undefined) {
        const referrer = { subject, descriptor: { ...manifest, ...document.described } };
        await metadata.putManifest(
          repository,
          { ...manifest, referrer },
          { tags: [], blobs: [], manifests: [], links: [...links] },
        );
      }
    }
    this.#tell({ code: "LINKS_WRONG", repository, digest, repaired: this.#repairs });
  }
}

function read(bytes: Uint8Array, mediaType: string): PushedDocument | undefined {
  try {
    const document = readPushedDocument(bytes, mediaType, bytes.length);
    return "fault" in document ? undefined : document;
  } catch {
    return undefined;
  }
}

/** All items of a list that comes in pages; `keyOf` says where the next page begins. */
async function* paged<Item>(
  list: (after: string | undefined) => Promise<readonly Item[]>,
  keyOf: (item: Item) => string,
): AsyncGenerator<Item, void> {
  let after: string | undefined;
  for (;;) {
    const page = await list(after);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = keyOf(last);
  }
}
