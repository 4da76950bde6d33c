/**
 * One repository as one credential's owner sees it, asked for each thing once: the source of the dry pull, which also
 * remembers what an index had to offer.
 */
import type { Repository } from "../../client/index.ts";
import { ClientError } from "../../client/index.ts";
import {
  type ContentStream,
  type Descriptor,
  type ImageSource,
  isIndexType,
  isManifestOrIndexType,
  listPlatforms,
  memoryStream,
  type OpenOptions,
  parseManifest,
  readContent,
  type SignalOptions,
} from "../../oci/index.ts";
import { messageOf } from "../message-of.ts";
import type { ErrorTrace } from "../trace.ts";

/** What became known on the way. */
export interface SeenContent {
  root?: Descriptor;
  platformsOffered: readonly string[];
  /** What a registry says of what it doesn't have, which no HEAD can. */
  missing?: ErrorTrace;
}

export class TracedSource implements ImageSource {
  readonly seen: SeenContent = { platformsOffered: [] };
  readonly #repository: Repository;
  readonly #has = new Map<string, Promise<boolean>>();
  readonly #documents = new Map<string, Promise<Uint8Array>>();

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  async resolve(reference: string, options: SignalOptions = {}): Promise<Descriptor> {
    try {
      this.seen.root = await this.#repository.resolve(reference, options);
      return this.seen.root;
    } catch (error) {
      const mute = error instanceof ClientError && error.status === 404 && error.registryErrors.length === 0;
      if (mute) await this.#askWhy(reference, options);
      throw error;
    }
  }

  /** Repeats the question so that the answer has a body. */
  async #askWhy(reference: string, options: SignalOptions): Promise<void> {
    try {
      await this.#repository.manifest(reference, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.seen.missing = traceError(error);
    }
  }

  async open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    if (!isManifestOrIndexType(descriptor.mediaType)) return await this.#repository.open(descriptor, options);
    let reading = this.#documents.get(descriptor.digest);
    if (reading === undefined) {
      reading = this.#read(descriptor, options.signal);
      this.#documents.set(descriptor.digest, reading);
    }
    return memoryStream(await reading, options);
  }

  async has(descriptor: Descriptor, options: SignalOptions): Promise<boolean> {
    let asking = this.#has.get(descriptor.digest);
    if (asking === undefined) {
      asking = this.#look(descriptor, options);
      this.#has.set(descriptor.digest, asking);
    }
    return await asking;
  }

  /** At any of the hosts: one that a mirror doesn't have may be at the registry. */
  async #look({ digest }: Descriptor, options: SignalOptions): Promise<boolean> {
    try {
      await this.#repository.resolveBlob(digest, options);
      return true;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.code === "BLOB_UNKNOWN" || error.status === 404) return false;
      // It is there, and doesn't say how long it is.
      if (error.code === "RESPONSE_INVALID" && error.status === undefined) return true;
      throw error;
    }
  }

  async #read(descriptor: Descriptor, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const bytes = await readContent(this.#repository, descriptor, { signal });
    if (isIndexType(descriptor.mediaType)) this.#noteOffers(descriptor, bytes);
    return bytes;
  }

  #noteOffers({ mediaType }: Descriptor, bytes: Uint8Array): void {
    try {
      const index = parseManifest(bytes, { mediaType });
      if (index.kind === "index") this.seen.platformsOffered = listPlatforms(index);
    } catch {
      // The pull itself says what is wrong with it.
    }
  }
}

export function traceError(error: unknown): ErrorTrace {
  const code =
    error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "UNKNOWN";
  if (!(error instanceof ClientError)) return { code, message: messageOf(error), said: [] };
  const { status, retryAfter, registryErrors } = error;
  return {
    code,
    message: error.message,
    ...(status !== undefined && { status }),
    said: registryErrors.map((entry) => ({ code: entry.code, message: entry.message })),
    ...(retryAfter !== undefined && { retryAfter }),
  };
}
