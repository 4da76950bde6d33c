import { statfs } from "node:fs/promises";

import { hostPlatformMatcher, type Platform, type PlatformMatcher } from "../oci/index.ts";
import { parseReference, repositoryName } from "../reference/index.ts";
import type { NamedImage, Store } from "../store/index.ts";
import type { ImageFileSystem, ImageService, ServiceCallOptions, ServiceImage } from "./image-service.ts";
import { inspectImage } from "./inspect-image.ts";

export interface StoreImagesOptions {
  readonly store: Store;
  readonly platform: Platform;
  /** A folder on the file system that holds the store. */
  readonly folder: string;
  /** Frees what no name leads to any more; whoever wires the store knows what else holds content. */
  readonly collect: (options: ServiceCallOptions) => Promise<unknown>;
  /** Images that are never collected, by canonical name, as it is when they are listed. */
  readonly pinned?: (() => Promise<ReadonlySet<string>>) | undefined;
}

/** The images of a store of ours as a runtime lists them: one for each id, with all its names. */
export class StoreImages implements Pick<ImageService, "list" | "remove" | "fileSystem"> {
  readonly #options: StoreImagesOptions;
  readonly #matcher: PlatformMatcher;

  constructor(options: StoreImagesOptions) {
    this.#options = options;
    this.#matcher = hostPlatformMatcher(options.platform);
  }

  async list(options: ServiceCallOptions = {}): Promise<readonly ServiceImage[]> {
    const { store, pinned } = this.#options;
    return describeImages(await imagesById(store, this.#matcher, options), await pinned?.());
  }

  /** All names of the image go, by whichever of them or by its id it is asked for; then its content. */
  async remove(image: string, options: ServiceCallOptions = {}): Promise<void> {
    const { store, collect } = this.#options;
    const images = await imagesById(store, this.#matcher, options);
    const byName = (): Held | undefined =>
      [...images.values()].find(({ named }) => named.some(({ name }) => name === image));
    const held = images.get(image) ?? byName();
    if (held === undefined) return;
    for (const { name } of held.named) store.names.delete(name);
    await collect(options);
  }

  async fileSystem(): Promise<ImageFileSystem> {
    const { blocks, bavail, bsize } = await statfs(this.#options.folder);
    return { capacityBytes: blocks * bsize, availableBytes: bavail * bsize };
  }
}

/** What {@link StoreImages.list} gives, for those who collect nothing. */
export async function listStoreImages(
  store: Store,
  options: ServiceCallOptions & { readonly platform: Platform },
): Promise<readonly ServiceImage[]> {
  return describeImages(await imagesById(store, hostPlatformMatcher(options.platform), options));
}

async function imagesById(
  store: Store,
  matcher: PlatformMatcher,
  { signal }: ServiceCallOptions,
): Promise<ReadonlyMap<string, Held>> {
  const images = new Map<string, Held>();
  for (const named of store.names.list()) {
    signal?.throwIfAborted();
    const facts = await inspectImage(store, named.target, { matcher, signal });
    if (facts === undefined) continue;
    const id = facts.manifest.config.digest;
    const held = images.get(id);
    if (held === undefined) images.set(id, { named: [named], size: facts.size });
    else held.named.push(named);
  }
  return images;
}

function describeImages(
  images: ReadonlyMap<string, Held>,
  pinned: ReadonlySet<string> = new Set(),
): readonly ServiceImage[] {
  return [...images].map(([id, { named, size }]) => {
    const repoDigests = [...new Set(named.map(repoDigestOf))];
    return {
      id,
      size,
      repoTags: named.flatMap(({ name }) => (name.includes("@") ? [] : [name])),
      repoDigests,
      spec: { image: id, annotations: [], runtimeHandler: "" },
      pinned: [...named.map(({ name }) => name), ...repoDigests].some((name) => pinned.has(name)),
    };
  });
}

interface Held {
  readonly named: NamedImage[];
  readonly size: number;
}

function repoDigestOf({ name, target }: NamedImage): string {
  return `${repositoryName(parseReference(name))}@${target.digest}`;
}
