import type { Descriptor, Digest } from "../oci/index.ts";

/** An image the store knows by name. */
export interface NamedImage {
  /** Canonical reference: `docker.io/library/busybox:1.36`. */
  readonly name: string;
  /** What the name points at: an index or a manifest. */
  readonly target: Descriptor;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** Names that point at content. What a name reaches is never collected. */
export interface NameStore {
  find(name: string): NamedImage | undefined;
  /** Creates or replaces, atomically. */
  put(name: string, target: Descriptor): NamedImage;
  /** Whether there was one to delete. */
  delete(name: string): boolean;
  /** Sorted by name, bytewise. */
  list(): Iterable<NamedImage>;
  /** The names that point straight at this digest, sorted. */
  findByTarget(digest: Digest): readonly NamedImage[];
}

export interface Lease extends Disposable {
  readonly id: string;
  /** Protects a digest, whether or not it is here yet, and everything the document under it reaches. */
  add(digest: Digest): void;
  /** Ends the protection of some, for which something else now cares. */
  remove(digests: Iterable<Digest>): void;
  /** Ends the protection. A lease also ends when its time is over, so a killed process leaks nothing. */
  release(): void;
}

/** Protection for content nobody has named yet: a pull or push in flight. */
export interface LeaseStore {
  /** `ttl` in milliseconds, 24 h by default; the owner renews it by adding. */
  create(options?: { readonly ttl?: number | undefined }): Lease;
  /** Every digest under a live lease, each once. */
  listDigests(): Iterable<Digest>;
}
