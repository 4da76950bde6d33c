import type {
  ContentSource,
  ContentStream,
  Descriptor,
  Digest,
  ImageSink,
  ImageSource,
} from "../oci/index.ts";
import type { OpenOptions, SignalOptions, TagOptions, WriteOptions, WriteOutcome } from "../oci/index.ts";
import { isManifestOrIndexType, readContent } from "../oci/index.ts";
import { hasContent, openContent } from "./blobs.ts";
import { deleteBlob, deleteManifest, deleteTag } from "./delete.ts";
import { listTags, type ListOptions } from "./lists.ts";
import { readManifest, type ManifestDocument } from "./manifests.ts";
import { parseObjectReference } from "./object-reference.ts";
import type { Place } from "./place.ts";
import { pushManifest, type PushManifestOptions } from "./push-manifest.ts";
import { listReferrers, type ReferrersOptions } from "./referrers.ts";
import { resolve } from "./resolve.ts";
import { resolveBlob } from "./resolve-blob.ts";
import type { SubjectLinks } from "./subject.ts";
import { mountBlob, uploadBlob } from "./uploads.ts";

/** Documents kept after they were written, since a tag that follows sends the same bytes once more. */
const KEPT_DOCUMENTS = 16;

/** One repository of a registry: a place images are read from and written to. */
export class Repository implements ImageSource, ImageSink {
  readonly domain: string;
  readonly path: string;
  /** A manifest is pushed under its tag; pushing it by digest first would be a request for nothing. */
  readonly tagWrites = true;
  readonly #place: Place;
  readonly #links: SubjectLinks;
  readonly #documents = new Map<Digest, Uint8Array>();

  /** Made by `RegistryClient.repository()`. */
  constructor(place: Place, links: SubjectLinks) {
    this.domain = place.domain;
    this.path = place.repository;
    this.#place = place;
    this.#links = links;
  }

  /**
   * What a tag, a digest or `tag@digest` stands for.
   *
   * @throws ClientError `MANIFEST_UNKNOWN`, `NAME_UNKNOWN`, `UNAUTHORIZED`, `DENIED`…
   */
  resolve(reference: string, options: SignalOptions = {}): Promise<Descriptor> {
    return resolve(this.#place, reference, options);
  }

  /**
   * What the head of a blob says about it. Nobody is asked for a manifest of that digest, which some registries fail
   * at when it is a blob's.
   *
   * @throws ClientError `BLOB_UNKNOWN`, `UNAUTHORIZED`, `DENIED`…
   */
  resolveBlob(digest: Digest, options: SignalOptions = {}): Promise<Descriptor> {
    return resolveBlob(this.#place, digest, options);
  }

  /** A manifest or index by tag or digest, its bytes checked against every digest that is known of it. */
  manifest(reference: string, options: SignalOptions = {}): Promise<ManifestDocument> {
    return readManifest(this.#place, parseObjectReference(reference), options);
  }

  /** Reads on over broken connections. The bytes aren't verified: whoever keeps them, does. */
  open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    return openContent(this.#place, descriptor, options);
  }

  /** Whether a mirror or the registry itself has it, by HEAD. */
  has(descriptor: Descriptor, options: SignalOptions = {}): Promise<boolean> {
    return hasContent(this.#place, descriptor, options);
  }

  /** Streams content into the registry, or has it linked from a repository of the same registry. */
  async write(
    descriptor: Descriptor,
    source: ContentSource,
    options: WriteOptions = {},
  ): Promise<WriteOutcome> {
    if (!isManifestOrIndexType(descriptor.mediaType)) {
      const from = source instanceof Repository && this.#isNeighbour(source) ? source.path : undefined;
      return uploadBlob(this.#place, descriptor, source, { ...options, from });
    }
    const bytes = await readContent(source, descriptor, { signal: options.signal });
    this.#keep(descriptor.digest, bytes);
    const outcome = await this.pushManifest(descriptor, bytes, { signal: options.signal });
    options.onProgress?.(descriptor.size);
    return outcome;
  }

  /** Stores a manifest or index under its digest, or under `options.tag`. */
  pushManifest(
    descriptor: Descriptor,
    bytes: Uint8Array,
    options: PushManifestOptions = {},
  ): Promise<"written" | "exists"> {
    return pushManifest({ place: this.#place, links: this.#links, descriptor, bytes }, options);
  }

  async tag(descriptor: Descriptor, reference: string, options: TagOptions = {}): Promise<void> {
    const { source = this, signal } = options;
    const bytes =
      this.#documents.get(descriptor.digest) ?? (await readContent(source, descriptor, { signal }));
    await this.pushManifest(descriptor, bytes, { tag: reference, signal });
  }

  /** Has the registry link a blob from another of its repositories; false when it doesn't. */
  mount(descriptor: Descriptor, from: string, options: SignalOptions = {}): Promise<boolean> {
    return mountBlob(this.#place, descriptor, from, options);
  }

  /** In the order of the registry, which the spec wants to be lexical. */
  tags(options: ListOptions = {}): AsyncIterable<string> {
    return listTags(this.#place, options);
  }

  /** What names this manifest as its subject; empty when nothing does. */
  referrers(subject: Digest, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    return listReferrers(this.#place, subject, options);
  }

  /** Deletes a manifest with all of its tags; false when there was none. */
  deleteManifest(digest: Digest, options: SignalOptions = {}): Promise<boolean> {
    return deleteManifest(this.#place, this.#links, digest, options);
  }

  /** Deletes only the tag; false when there was none. */
  deleteTag(tag: string, options: SignalOptions = {}): Promise<boolean> {
    return deleteTag(this.#place, tag, options);
  }

  deleteBlob(digest: Digest, options: SignalOptions = {}): Promise<boolean> {
    return deleteBlob(this.#place, digest, options);
  }

  #isNeighbour(other: Repository): boolean {
    return other.domain === this.domain && other.path !== this.path;
  }

  #keep(digest: Digest, bytes: Uint8Array): void {
    this.#documents.set(digest, bytes);
    const [oldest] = this.#documents.keys();
    if (this.#documents.size > KEPT_DOCUMENTS && oldest !== undefined) this.#documents.delete(oldest);
  }
}
