import { randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { syncFolder, writeFileAtomically } from "../internal/atomic-write.ts";
import { FileMutex } from "../internal/file-lock.ts";
import { makeFolder } from "../internal/make-folder.ts";
import {
  type ContentSource,
  type ContentStream,
  type Descriptor,
  type ImageSink,
  type ImageSource,
  isDigest,
  MAX_DOCUMENT_SIZE,
  type OpenOptions,
  type SignalOptions,
  type TagOptions,
  type WriteOptions,
  type WriteOutcome,
} from "../oci/index.ts";
import { BlobFolder, blobPath, INGEST_PREFIX } from "./blob-folder.ts";
import { ArchiveError, fileError } from "./errors.ts";
import {
  type ArchiveEntry,
  checkLayoutMark,
  dropEntry,
  emptyLayoutIndex,
  formatLayoutIndex,
  LAYOUT_HEADER,
  LAYOUT_INDEX,
  LAYOUT_MARK,
  type LayoutIndex,
  parseLayoutIndex,
  putEntry,
  selectEntry,
  sniffDescriptor,
} from "./layout-index.ts";
import { invalid, MAX_DOCUMENT } from "./tar-file.ts";

/** Taken while `index.json` is read, changed and replaced; other tools ignore it. */
const LOCK = ".dray-lock";

export interface LayoutOptions extends SignalOptions {
  /** Make an empty layout of a folder that is missing or empty. */
  readonly create?: boolean | undefined;
}

/**
 * Opens an OCI layout folder.
 *
 * @throws ArchiveError `ARCHIVE_UNKNOWN`, `ARCHIVE_INVALID`, `ARCHIVE_UNSUPPORTED`, `UNREADABLE`, `UNWRITABLE`
 */
export async function openLayout(folder: string, options: LayoutOptions = {}): Promise<OciLayout> {
  options.signal?.throwIfAborted();
  const mark = await readMark(folder, options.create === true);
  if (mark === undefined) await createLayout(folder);
  else checkLayoutMark(mark, folder);
  return new OciLayout(folder);
}

/**
 * Images in a folder, by tag or full name. Blobs become visible one by one, verified; names change in one step.
 * Several processes may write at once. A blob the layout doesn't have is no fault of the layout: it may be sparse.
 */
export class OciLayout implements ImageSource, ImageSink {
  readonly folder: string;
  readonly #blobs: BlobFolder;

  /** @internal Use {@link openLayout}, which looks at the folder first. */
  constructor(folder: string) {
    this.folder = folder;
    this.#blobs = new BlobFolder(folder);
  }

  /** The images recorded in `index.json`, in its order. */
  async entries(): Promise<readonly ArchiveEntry[]> {
    return (await this.#index()).entries;
  }

  /** Without a reference, the only image there is. A digest may also be that of a document inside an image. */
  async resolve(reference: string = "", options: SignalOptions = {}): Promise<Descriptor> {
    options.signal?.throwIfAborted();
    const { entries } = await this.#index();
    if (isDigest(reference) && !entries.some((entry) => entry.descriptor.digest === reference)) {
      const size = await this.#blobs.sizeOf(reference);
      if (size !== undefined && size <= MAX_DOCUMENT_SIZE) {
        const found = sniffDescriptor(await readFile(join(this.folder, blobPath(reference))), reference);
        if (found !== undefined) return found;
      }
    }
    return selectEntry(entries, reference, this.folder).descriptor;
  }

  open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    return this.#blobs.open(descriptor, options);
  }

  has(descriptor: Descriptor): Promise<boolean> {
    return this.#blobs.has(descriptor);
  }

  write(descriptor: Descriptor, source: ContentSource, options: WriteOptions = {}): Promise<WriteOutcome> {
    return this.#blobs.write(descriptor, source, options);
  }

  /** Records `reference`, a tag or a full name, as it is given. */
  async tag(descriptor: Descriptor, reference: string, options: TagOptions = {}): Promise<void> {
    if (options.source !== undefined)
      await this.write(descriptor, options.source, { signal: options.signal });
    options.signal?.throwIfAborted();
    await this.#change((index) => putEntry(index, descriptor, reference));
  }

  /** Forgets a recorded name, and says whether there was one. Content stays. */
  async untag(reference: string): Promise<boolean> {
    let found = false;
    await this.#change((index) => {
      found = index.entries.some((entry) => entry.name === reference);
      return dropEntry(index, reference);
    });
    return found;
  }

  async #index(): Promise<LayoutIndex> {
    const path = join(this.folder, LAYOUT_INDEX);
    try {
      if ((await stat(path)).size > MAX_DOCUMENT) throw tooLarge(this.folder);
      return parseLayoutIndex(await readFile(path), this.folder);
    } catch (error) {
      throw missingIndex(error, this.folder);
    }
  }

  /** Synchronous inside the lock: it is held for a moment only, and never across an await. */
  async #change(edit: (index: LayoutIndex) => LayoutIndex): Promise<void> {
    const path = join(this.folder, LAYOUT_INDEX);
    try {
      using mutex = new FileMutex(join(this.folder, LOCK));
      mutex.run(() => {
        if (statSync(path).size > MAX_DOCUMENT) throw tooLarge(this.folder);
        replaceFile(path, formatLayoutIndex(edit(parseLayoutIndex(readFileSync(path), this.folder))));
      });
      await syncFolder(this.folder);
    } catch (error) {
      throw lockError(missingIndex(error, this.folder), this.folder);
    }
  }
}

async function readMark(folder: string, create: boolean): Promise<Buffer | undefined> {
  const path = join(folder, LAYOUT_MARK);
  try {
    if ((await stat(path)).size > MAX_DOCUMENT_SIZE) throw invalid(folder, "its oci-layout is too large");
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") throw fileError(error, "open layout", folder, "UNREADABLE");
    if (create) return undefined;
    const exists = await stat(folder).then(
      () => true,
      () => false,
    );
    if (!exists) throw fileError(error, "open layout", folder, "UNREADABLE");
    throw invalid(folder, "it is not an OCI layout: there is no oci-layout file");
  }
}

async function createLayout(folder: string): Promise<void> {
  try {
    makeFolder(folder);
    const own = new Set([LAYOUT_MARK, LAYOUT_INDEX, LOCK, "blobs"]);
    // Files of a layout may be there already when two processes create it at once, or one was interrupted.
    const foreign = (await readdir(folder)).find((name) => !own.has(name) && !isTransient(name));
    if (foreign !== undefined) {
      throw new ArchiveError(
        "UNWRITABLE",
        `Cannot create layout ${JSON.stringify(folder)}: the folder holds other files, such as ${JSON.stringify(foreign)}`,
      );
    }
    makeFolder(join(folder, "blobs", "sha256"));
    const index = join(folder, LAYOUT_INDEX);
    {
      using mutex = new FileMutex(join(folder, LOCK));
      mutex.run(() => {
        if (statSync(index, { throwIfNoEntry: false }) === undefined) {
          replaceFile(index, formatLayoutIndex(emptyLayoutIndex()));
        }
      });
    }
    await writeFileAtomically(join(folder, LAYOUT_MARK), LAYOUT_HEADER);
  } catch (error) {
    throw lockError(fileError(error, "create layout", folder, "UNWRITABLE"), folder);
  }
}

function isTransient(name: string): boolean {
  return (
    name.startsWith(INGEST_PREFIX) ||
    name.startsWith(`.${LAYOUT_INDEX}.`) ||
    name.startsWith(`.${LAYOUT_MARK}.`)
  );
}

function replaceFile(path: string, bytes: Buffer): void {
  const draft = path.replace(/index\.json$/, `.index.json.${randomUUID()}`);
  try {
    const fd = openSync(draft, "wx", 0o644);
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function tooLarge(folder: string): ArchiveError {
  return invalid(folder, `its index.json is larger than ${MAX_DOCUMENT} bytes`);
}

function missingIndex(error: unknown, folder: string): unknown {
  if ((error as NodeJS.ErrnoException).code === "ENOENT")
    return invalid(folder, "it has no index.json", error);
  return fileError(error, "change layout", folder, "UNWRITABLE");
}

/** The lock is taken with SQLite, whose errors say nothing to people. */
function lockError(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || !("errcode" in error)) return error;
  const busy = error.errcode === 5;
  const state = busy ? "another process is changing it" : "its lock file cannot be written";
  return new ArchiveError(
    busy ? "BUSY" : "UNWRITABLE",
    `Cannot change layout ${JSON.stringify(folder)}: ${state}`,
    {
      cause: error,
    },
  );
}
