import {
  type ContentStream,
  type Descriptor,
  type Digest,
  type ImageSource,
  isDigest,
  MAX_DOCUMENT_SIZE,
  OciError,
  type OpenOptions,
  type SignalOptions,
} from "../oci/index.ts";
import { blobPath } from "./blob-folder.ts";
import {
  type ArchiveEntry,
  checkLayoutMark,
  LAYOUT_INDEX,
  LAYOUT_MARK,
  type LayoutIndex,
  parseLayoutIndex,
  selectEntry,
  sniffDescriptor,
} from "./layout-index.ts";
import { invalid, type TarFile } from "./tar-file.ts";

/** An OCI layout inside a tar, read in place. */
export class OciArchive implements ImageSource, AsyncDisposable {
  readonly form = "oci-archive";
  readonly #tar: TarFile;
  readonly #index: LayoutIndex;

  private constructor(tar: TarFile, index: LayoutIndex) {
    this.#tar = tar;
    this.#index = index;
  }

  /** @internal Takes over the tar, and closes it when it isn't a layout. */
  static async from(tar: TarFile): Promise<OciArchive> {
    try {
      const mark = await tar.read(LAYOUT_MARK);
      if (mark === undefined)
        throw invalid(tar.label, "it is not an OCI archive: there is no oci-layout file");
      checkLayoutMark(mark, tar.label);
      const index = await tar.read(LAYOUT_INDEX);
      if (index === undefined) throw invalid(tar.label, "it has no index.json");
      return new OciArchive(tar, parseLayoutIndex(index, tar.label));
    } catch (error) {
      await tar.close();
      throw error;
    }
  }

  entries(): Promise<readonly ArchiveEntry[]> {
    return Promise.resolve(this.#index.entries);
  }

  /** Without a reference, the only image there is. A digest may also be that of a document inside an image. */
  async resolve(reference: string = "", options: SignalOptions = {}): Promise<Descriptor> {
    options.signal?.throwIfAborted();
    const { entries } = this.#index;
    if (isDigest(reference) && !entries.some((entry) => entry.descriptor.digest === reference)) {
      const found = await this.#sniff(reference);
      if (found !== undefined) return found;
    }
    return selectEntry(entries, reference, this.#tar.label).descriptor;
  }

  open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    const member = this.#tar.find(blobPath(descriptor.digest));
    if (member !== undefined) return Promise.resolve(this.#tar.open(member, options));
    const where = JSON.stringify(this.#tar.label);
    return Promise.reject(
      new OciError("BLOB_UNKNOWN", `Cannot open blob "${descriptor.digest}": not in ${where}`),
    );
  }

  close(): Promise<void> {
    return this.#tar.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #sniff(digest: Digest): Promise<Descriptor | undefined> {
    const path = blobPath(digest);
    const size = this.#tar.find(path)?.size;
    if (size === undefined || size > MAX_DOCUMENT_SIZE) return undefined;
    return sniffDescriptor((await this.#tar.read(path)) ?? Buffer.alloc(0), digest);
  }
}
