import {
  type CopyEvent,
  type ImageSource,
  OciError,
  type Platform,
  type PlatformMatcher,
  type SignalOptions,
  copy,
  hostPlatformMatcher,
} from "../oci/index.ts";
import { type Reference, formatReference, parseDockerRef } from "../reference/index.ts";
import type { NamedImage, Store } from "../store/index.ts";
import type { ImageRuntime, PullProgress, RuntimeImage, RuntimePullOptions } from "./image-runtime.ts";
import { inspectImage } from "./inspect-image.ts";
import { SharedOperations } from "./shared-operations.ts";

export interface StoreRuntimeOptions {
  readonly store: Store;
  /** Where the image of a reference is fetched from. */
  readonly registry: (reference: Reference) => ImageSource;
  /** This node's; the one image that is taken out of an index. */
  readonly platform: Platform;
  /** Blobs of one image at a time; 3 by default. */
  readonly concurrency?: number | undefined;
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
    const named = this.#findName(parseDockerRef(image));
    if (named === undefined) return undefined;
    const facts = await inspectImage(this.#options.store, named.target, {
      matcher: this.#matcher,
      ...options,
    });
    if (facts === undefined) return undefined;
    for (const content of facts.contents) {
      if (!(await this.#options.store.has(content, options))) return undefined;
    }
    return { id: facts.manifest.config.digest, digest: named.target.digest, size: facts.size };
  }

  async pull(image: string, options: RuntimePullOptions = {}): Promise<RuntimeImage> {
    const reference = parseDockerRef(image);
    const name = formatReference(reference);
    return await this.#pulls.run(
      name,
      (signal, report) => this.#fetch(reference, { signal, report }),
      options,
    );
  }

  async #fetch(
    reference: Reference,
    { signal, report }: { readonly signal: AbortSignal; readonly report: (progress: PullProgress) => void },
  ): Promise<RuntimeImage> {
    const { store, registry, platform, concurrency } = this.#options;
    const { descriptor } = await copy(registry(reference), objectOf(reference), {
      to: store,
      as: formatReference(reference),
      platform,
      signal,
      concurrency,
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
    return { id: facts.manifest.config.digest, digest: descriptor.digest, size: facts.size };
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

/** What the registry is asked for: the digest, which decides, or else the tag. */
export function objectOf(reference: Reference): string {
  return reference.digest ?? reference.tag ?? "latest";
}

/** Adds up the progress of all contents of a copy. */
export function countBytes(report: (progress: PullProgress) => void): (event: CopyEvent) => void {
  const there = new Map<string, number>();
  let bytes = 0;
  let total = 0;
  return (event) => {
    const { digest, size } = event.descriptor;
    if (event.type === "found") {
      total += size;
    } else {
      const now = event.type === "done" ? size : event.bytes;
      bytes += now - (there.get(digest) ?? 0);
      there.set(digest, now);
    }
    report({ bytes, total });
  };
}
