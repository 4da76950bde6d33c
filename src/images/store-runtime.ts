import {
  type CopyEvent,
  type ImageSource,
  OciError,
  type Platform,
  type PlatformMatcher,
  type SignalOptions,
  copy,
  hostPlatformMatcher,
  isDigest,
} from "../oci/index.ts";
import { StallError, StallGuard } from "../client/index.ts";
import { hashAuthConfig, type TrackedCredential } from "../credentials/index.ts";
import { type Reference, formatReference, parseDockerRef } from "../reference/index.ts";
import type { NamedImage, NameStore, Store } from "../store/index.ts";
import type { ByteRate } from "./byte-rate.ts";
import type {
  ContentProgress,
  ImageRuntime,
  PulledImage,
  PullProgress,
  RuntimeImage,
  RuntimePullOptions,
} from "./image-runtime.ts";
import { inspectImage } from "./inspect-image.ts";
import { preferLocalDocuments } from "./local-documents.ts";
import { tryCredentials } from "./try-credentials.ts";
import { SharedOperations } from "./shared-operations.ts";

/** What a runtime needs of a store: somewhere for content, and names that point at it. */
export type RuntimeStore = Pick<Store, "open" | "has" | "begin"> & {
  readonly names: Pick<NameStore, "find" | "findByTarget" | "list" | "put" | "delete">;
};

export interface StoreRuntimeOptions {
  readonly store: RuntimeStore;
  /**
   * Where the image of a reference is fetched from, and as whom: with this credential, with none (`null`), or with
   * whatever the source finds by itself (absent).
   */
  readonly registry: (reference: Reference, credential?: TrackedCredential | null) => ImageSource;
  /** This node's; the one image that is taken out of an index. */
  readonly platform: Platform;
  /** Blobs of one image at a time; 3 by default. */
  readonly concurrency?: number | undefined;
  /** Milliseconds a pull may wait for a registry that sends nothing at all; one minute by default. */
  readonly stallTimeout?: number | undefined;
  /** A cap on how fast all pulls together may be; none by default. */
  readonly byteRate?: ByteRate | undefined;
}

/** Keeps images in a store of ours. Identical pulls in flight are one. */
export class StoreRuntime implements ImageRuntime {
  readonly #options: StoreRuntimeOptions;
  readonly #matcher: PlatformMatcher;
  readonly #pulls = new SharedOperations<PullProgress, RuntimeImage>();

  constructor(options: StoreRuntimeOptions) {
    this.#options = options;
    this.#matcher = hostPlatformMatcher(options.platform);
  }

  async find(image: string, options: SignalOptions = {}): Promise<RuntimeImage | undefined> {
    if (isDigest(image)) return await this.#findById(image, options);
    const named = this.#findName(parseDockerRef(image));
    return named === undefined ? undefined : await this.#inspect(named, options);
  }

  /** A Pod may name an image by its id, which reads like a repository "sha256" with a long tag. */
  async #findById(id: string, options: SignalOptions): Promise<RuntimeImage | undefined> {
    for (const named of this.#options.store.names.list()) {
      const image = await this.#inspect(named, options);
      if (image?.id === id) return image;
    }
    return undefined;
  }

  async #inspect(named: NamedImage, options: SignalOptions): Promise<RuntimeImage | undefined> {
    const facts = await inspectImage(this.#options.store, named.target, {
      matcher: this.#matcher,
      signal: options.signal,
    });
    if (facts === undefined) return undefined;
    for (const content of facts.contents) {
      if (!(await this.#options.store.has(content, options))) return undefined;
    }
    return { id: facts.manifest.config.digest, digest: named.target.digest, size: facts.size };
  }

  async pull(image: string, options: RuntimePullOptions = {}): Promise<PulledImage> {
    const reference = parseDockerRef(image);
    const { credentials, signal } = options;
    if (credentials === undefined) return await this.#share(reference, undefined, options);
    const { value, credential } = await tryCredentials(credentials, {
      attempt: (tried) => this.#share(reference, tried ?? null, options),
      // Who keeps silent does so whoever asks, and the next one would wait as long.
      giveUp: (error) => error instanceof StallError,
      signal,
    });
    return { ...value, credential };
  }

  /** Joins a pull in flight of the same image by the same credential: another's success proves nothing for us. */
  async #share(
    reference: Reference,
    credential: TrackedCredential | null | undefined,
    options: RuntimePullOptions,
  ): Promise<RuntimeImage> {
    const key = JSON.stringify([formatReference(reference), ...identify(credential)]);
    return await this.#pulls.run(
      key,
      (signal, report) => this.#fetch(reference, { credential, signal, report }),
      options,
    );
  }

  async #fetch(
    reference: Reference,
    work: {
      readonly credential: TrackedCredential | null | undefined;
      readonly signal: AbortSignal;
      readonly report: (progress: PullProgress) => void;
    },
  ): Promise<RuntimeImage> {
    const { store, registry, platform, concurrency, byteRate } = this.#options;
    const { credential, report } = work;
    const action = `pull "${formatReference(reference)}"`;
    using guard = new StallGuard({ timeout: this.#options.stallTimeout, action, signal: work.signal });
    const { signal } = guard;
    const remote = guard.watch(registry(reference, credential));
    const source = preferLocalDocuments(byteRate?.limit(remote) ?? remote, store);
    const before = reference.digest === undefined ? store.names.find(formatReference(reference)) : undefined;
    // Ends with this pull, so that what a failed one brought isn't kept for ever.
    using writes = store.begin();
    const { descriptor } = await copy(source, objectOf(reference), {
      to: writes,
      platform,
      signal,
      concurrency,
      // A container needs them like any other; whoever distributes the image is another matter.
      foreignLayers: true,
      onEvent: countBytes(report),
    });
    const facts = await inspectImage(store, descriptor, { matcher: this.#matcher, signal });
    if (facts === undefined) {
      const what = `it is a ${JSON.stringify(descriptor.mediaType)}`;
      throw new OciError(
        "MANIFEST_UNSUPPORTED",
        `Cannot use "${formatReference(reference)}" as an image: ${what}`,
      );
    }
    // The name moves last: what can't be used takes it from nothing that can.
    if (before !== undefined && before.target.digest !== descriptor.digest)
      await this.#keep(reference, before);
    await writes.tag(descriptor, formatReference(reference));
    return { id: facts.manifest.config.digest, digest: descriptor.digest, size: facts.size };
  }

  /** What a tag pointed to before it moved stays until it is collected, as containers may run it. */
  async #keep({ domain, path }: Reference, { target }: NamedImage): Promise<void> {
    const { store } = this.#options;
    const name = `${domain}/${path}@${target.digest}`;
    if (store.names.find(name) !== undefined) return;
    store.names.put(name, target);
    // A collection of this very moment may have been faster: then there is nothing to name.
    if (!(await store.has(target))) store.names.delete(name);
  }

  /** By its name; by digest also under any other name of the same repository, since that is the same content. */
  #findName(reference: Reference): NamedImage | undefined {
    const { names } = this.#options.store;
    const exact = names.find(formatReference(reference));
    if (exact !== undefined || reference.digest === undefined) return exact;
    const repository = `${reference.domain}/${reference.path}`;
    return names
      .findByTarget(reference.digest)
      .find(({ name }) => name.startsWith(`${repository}:`) || name.startsWith(`${repository}@`));
  }
}

/** What tells one asker from another. */
function identify(credential: TrackedCredential | null | undefined): readonly (string | null)[] {
  if (credential === undefined) return [];
  if (credential === null) return [null];
  const { username, password } = credential;
  return [hashAuthConfig({ username, password })];
}

/** What the registry is asked for: the digest, which decides, or else the tag. */
export function objectOf(reference: Reference): string {
  return reference.digest ?? reference.tag ?? "latest";
}

/** Adds up the progress of all contents of a copy. */
export function countBytes(report: (progress: PullProgress) => void): (event: CopyEvent) => void {
  const contents: Writable<ContentProgress>[] = [];
  const byDigest = new Map<string, Writable<ContentProgress>>();
  let bytes = 0;
  let total = 0;
  return (event) => {
    const { digest, mediaType, size } = event.descriptor;
    let content = byDigest.get(digest);
    if (content === undefined) {
      content = { digest, mediaType, size, bytes: 0, phase: "waiting" };
      byDigest.set(digest, content);
      contents.push(content);
    }
    if (event.type === "found") {
      total += size;
    } else {
      const now = event.type === "done" ? size : event.bytes;
      bytes += now - content.bytes;
      content.bytes = now;
      content.phase = phaseAfter(event);
    }
    report({ bytes, total, contents });
  };
}

function phaseAfter(event: Exclude<CopyEvent, { readonly type: "found" }>): ContentProgress["phase"] {
  if (event.type === "progress") return "fetching";
  if (event.type === "awaited") return "awaited";
  return event.outcome === "written" ? "done" : "here";
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
