/**
 * A store that keeps nothing but documents, for as long as an explanation lasts: a pull into it goes the whole way and
 * leaves the layers where they are.
 */
import {
  type ContentSource,
  type ContentStream,
  type Descriptor,
  embeddedContent,
  isImageConfigType,
  isManifestOrIndexType,
  memoryStream,
  OciError,
  type OpenOptions,
  type ImageSink,
  readContent,
  type WriteOptions,
  type WriteOutcome,
} from "../../oci/index.ts";
import type { RuntimeStore } from "../../images/index.ts";

/** A config is a few kilobytes; what is larger isn't worth reading for an explanation. */
const LARGEST_CONFIG = 4 * 1024 * 1024;

export class DryStore implements RuntimeStore, ImageSink, Disposable {
  readonly names: RuntimeStore["names"] = {
    find: () => undefined,
    findByTarget: () => [],
    list: () => [],
    put: (name, target) => ({ name, target, createdAt: 0, updatedAt: 0 }),
    delete: () => false,
  };
  readonly #documents = new Map<string, Uint8Array>();
  readonly #allowConfig: (digest: string) => void;
  readonly #has: (digest: string) => Promise<boolean>;

  constructor(options: {
    readonly allowConfig: (digest: string) => void;
    /** Whether the node has it. */
    readonly has?: ((digest: string) => Promise<boolean>) | undefined;
  }) {
    this.#allowConfig = options.allowConfig;
    this.#has = options.has ?? (() => Promise.resolve(false));
  }

  /** A document that came along; undefined for all else. */
  find(digest: string): Uint8Array | undefined {
    return this.#documents.get(digest);
  }

  /** Keeps what comes along beyond the pull: that's what it is for. */
  begin(): this {
    return this;
  }

  [Symbol.dispose](): void {}

  async open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    const bytes = this.#documents.get(descriptor.digest);
    if (bytes !== undefined) return memoryStream(bytes, options);
    throw new OciError("BLOB_UNKNOWN", `Cannot open "${descriptor.digest}": explaining keeps no layers`);
  }

  has(descriptor: Descriptor): Promise<boolean> {
    return Promise.resolve(this.#documents.has(descriptor.digest));
  }

  async write(
    descriptor: Descriptor,
    source: ContentSource,
    options: WriteOptions = {},
  ): Promise<WriteOutcome> {
    const { digest, mediaType, size } = descriptor;
    if (this.#documents.has(digest)) return "exists";
    const config = isImageConfigType(mediaType) && size <= LARGEST_CONFIG;
    // A pull leaves alone what is here, however the registry serves it.
    if (config && (await this.#has(digest))) return "exists";
    if (config) this.#allowConfig(digest);
    if (config || isManifestOrIndexType(mediaType)) {
      const embedded = embeddedContent(descriptor);
      this.#documents.set(
        digest,
        embedded ?? (await readContent(source, descriptor, { signal: options.signal })),
      );
    }
    return "written";
  }

  tag(): Promise<void> {
    return Promise.resolve();
  }
}
