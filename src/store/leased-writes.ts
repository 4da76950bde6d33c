import {
  type ContentSource,
  type Descriptor,
  type Digest,
  type ImageSink,
  OciError,
  type SignalOptions,
  type WriteOptions,
  type WriteOutcome,
} from "../oci/index.ts";
import type { BlobStore } from "./blob-store.ts";
import { readLinks } from "./documents.ts";
import { StoreError } from "./errors.ts";
import type { Lease, LeaseStore, NameStore } from "./names.ts";

export interface LeasedWritesOptions {
  readonly blobs: BlobStore;
  readonly names: NameStore;
  readonly leases: LeaseStore;
}

/** Writes under one lease: each digest is protected before it is written, until a name reaches it or the writes end. */
export class LeasedWrites implements ImageSink, Disposable {
  readonly #options: LeasedWritesOptions;
  #lease: Lease | undefined;
  readonly #leased = new Set<Digest>();
  readonly #onEnd: () => void;
  #ended = false;

  constructor(options: LeasedWritesOptions, onEnd: () => void = () => {}) {
    this.#options = options;
    this.#onEnd = onEnd;
  }

  has(descriptor: Descriptor, options: SignalOptions = {}): Promise<boolean> {
    return this.#options.blobs.has(descriptor, options);
  }

  async write(
    descriptor: Descriptor,
    source: ContentSource,
    options: WriteOptions = {},
  ): Promise<WriteOutcome> {
    this.#protect(descriptor.digest);
    return await this.#options.blobs.write(descriptor, source, options);
  }

  async tag(descriptor: Descriptor, name: string): Promise<void> {
    const { blobs, names } = this.#options;
    // First protected, then looked for: a collection in between either sees the lease or has already deleted it.
    this.#protect(descriptor.digest);
    if (!(await blobs.has(descriptor))) {
      const { digest } = descriptor;
      throw new OciError("BLOB_UNKNOWN", `Cannot name ${digest} ${JSON.stringify(name)}: not in the store`);
    }
    const { mediaType, digest, size } = descriptor;
    names.put(name, { mediaType, digest, size });
    await this.#unprotect(digest);
  }

  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd();
    this.#lease?.release();
  }

  #protect(digest: Digest): void {
    if (this.#ended) throw new StoreError("CLOSED", "Cannot write to the store: it was closed");
    this.#lease ??= this.#options.leases.create();
    this.#lease.add(digest);
    this.#leased.add(digest);
  }

  /** Hands over to the name that now reaches all this. */
  async #unprotect(root: Digest): Promise<void> {
    const reached = new Set<Digest>();
    const pending: Digest[] = [root];
    for (let digest = pending.pop(); digest !== undefined; digest = pending.pop()) {
      if (reached.has(digest)) continue;
      reached.add(digest);
      const links = this.#leased.has(digest) ? await readLinks(this.#options.blobs, digest) : undefined;
      for (const leaf of links?.leaves ?? []) reached.add(leaf);
      pending.push(...(links?.documents ?? []));
    }
    const done = [...reached].filter((digest) => this.#leased.delete(digest));
    this.#lease?.remove(done);
  }
}
