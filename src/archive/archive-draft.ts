import { mkdtemp, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { syncFolder } from "../internal/atomic-write.ts";
import {
  type ContentSource,
  type ContentStream,
  type Descriptor,
  type ImageSink,
  type OpenOptions,
  type SignalOptions,
  type TagOptions,
  type WriteOptions,
  type WriteOutcome,
} from "../oci/index.ts";
import { BlobFolder } from "./blob-folder.ts";
import { ArchiveError, fileError } from "./errors.ts";
import { TarOutput } from "./tar-output.ts";

/** An image the archive will hold, and the names it goes by. */
export interface DraftImage {
  readonly descriptor: Descriptor;
  readonly names: readonly string[];
}

/** Writes the members of one form of archive; `blobs` has every blob, verified. */
export type WriteMembers = (
  tar: TarOutput,
  blobs: BlobFolder,
  images: readonly DraftImage[],
  options: SignalOptions,
) => Promise<void>;

/**
 * An archive in the making. Blobs come in any order and several at a time, into a hidden folder beside the target;
 * `commit()` puts them into a tar in a fixed order and renames it into place. Until then, and when anything fails,
 * the target stays as it was.
 */
export class ArchiveDraft implements ImageSink, ContentSource, AsyncDisposable {
  readonly path: string;
  readonly #folder: string;
  readonly #blobs: BlobFolder;
  readonly #members: WriteMembers;
  readonly #checkName: (name: string, descriptor: Descriptor) => void;
  readonly #targets = new Map<string, Descriptor>();
  #done = false;

  private constructor(path: string, folder: string, form: DraftForm) {
    this.path = path;
    this.#folder = folder;
    this.#blobs = new BlobFolder(folder, { durable: false });
    this.#members = form.members;
    this.#checkName = form.check;
  }

  /** @internal Use `createOciArchive` or `createDockerArchive`. */
  static async create(path: string, form: DraftForm): Promise<ArchiveDraft> {
    try {
      const found = await stat(path).catch(() => undefined);
      if (found?.isDirectory() === true) throw Object.assign(new Error("is a folder"), { code: "EISDIR" });
      // The rename at the end would put a file in the place of a device such as /dev/null.
      if (found?.isFile() === false) throw Object.assign(new Error("is not a file"), { code: "EINVAL" });
      const folder = await mkdtemp(join(dirname(path), `.${basename(path).slice(0, 100)}.`));
      return new ArchiveDraft(path, folder, form);
    } catch (error) {
      throw fileError(error, "create archive", path, "UNWRITABLE");
    }
  }

  has(descriptor: Descriptor): Promise<boolean> {
    return this.#blobs.has(descriptor);
  }

  write(descriptor: Descriptor, source: ContentSource, options: WriteOptions = {}): Promise<WriteOutcome> {
    this.#assertOpen();
    return this.#blobs.write(descriptor, source, options);
  }

  /** What was written so far can be read again. */
  open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    return this.#blobs.open(descriptor, options);
  }

  /** The empty reference records the image without a name. */
  async tag(descriptor: Descriptor, reference: string, options: TagOptions = {}): Promise<void> {
    this.#checkName(reference, descriptor);
    if (options.source !== undefined)
      await this.write(descriptor, options.source, { signal: options.signal });
    this.#targets.set(reference, descriptor);
  }

  /**
   * Writes the archive, makes it durable and visible. The draft is over, however this ends.
   *
   * @throws ArchiveError `UNWRITABLE`, `ARCHIVE_UNSUPPORTED`; OciError `BLOB_UNKNOWN`, `DIGEST_INVALID`
   */
  async commit(options: SignalOptions = {}): Promise<void> {
    this.#assertOpen();
    try {
      if (this.#targets.size === 0) {
        throw new ArchiveError(
          "ARCHIVE_INVALID",
          `Cannot write archive ${JSON.stringify(this.path)}: no image was put in`,
        );
      }
      const partial = join(this.#folder, "archive.tar");
      const file = await open(partial, "wx", 0o644);
      try {
        const tar = new TarOutput(file);
        await this.#members(tar, this.#blobs, groupNames(this.#targets), options);
        await tar.end();
        options.signal?.throwIfAborted();
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partial, this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw fileError(error, "write archive", this.path, "UNWRITABLE");
    } finally {
      await this.abort();
    }
  }

  /** Drops everything; harmless after `commit()`. */
  async abort(): Promise<void> {
    this.#done = true;
    await rm(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.abort();
  }

  #assertOpen(): void {
    if (this.#done) throw new Error("this archive was committed or given up already");
  }
}

/** What makes a draft an OCI or a Docker archive. */
export interface DraftForm {
  readonly members: WriteMembers;
  /** Refuses a name or target early, before anything is transferred. */
  readonly check: (name: string, descriptor: Descriptor) => void;
}

function groupNames(targets: ReadonlyMap<string, Descriptor>): readonly DraftImage[] {
  const images = new Map<string, { descriptor: Descriptor; names: string[] }>();
  // Sorted, so that the order of the calls doesn't show in the archive.
  for (const [name, descriptor] of [...targets].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const image = images.get(descriptor.digest) ?? { descriptor, names: [] };
    if (name !== "") image.names.push(name);
    images.set(descriptor.digest, image);
  }
  return [...images.values()];
}
