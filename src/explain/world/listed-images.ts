/** What a node has, by a list of names: that of `crictl images -o json`, or of a Node's status. */
import type { RuntimeImage } from "../../images/index.ts";
import { isDigest } from "../../oci/index.ts";
import {
  formatReference,
  InvalidReferenceError,
  parseDockerRef,
  parseReference,
} from "../../reference/index.ts";
import type { NodeImages, Seen } from "./situation.ts";

export interface ListedImage {
  /** Empty where the list doesn't say. */
  readonly id: string;
  readonly tags: readonly string[];
  /** `repository@sha256:…`. */
  readonly digests: readonly string[];
  /** Bytes. */
  readonly size: number;
}

export interface ListedImagesOptions {
  /** Whether an image that isn't in the list may be there all the same. */
  readonly partial?: boolean | undefined;
}

export class ListedImages implements NodeImages {
  readonly source: string;
  readonly #images: readonly ListedImage[];
  readonly #partial: boolean;

  constructor(images: readonly ListedImage[], source: string, options: ListedImagesOptions = {}) {
    this.#images = images;
    this.source = source;
    this.#partial = options.partial ?? false;
  }

  find(image: string): Promise<Seen<RuntimeImage>> {
    const found = isDigest(image) ? this.#images.find(({ id }) => id === image) : this.#findByName(image);
    if (found === undefined) {
      return Promise.resolve(
        this.#partial
          ? { state: "unseen", why: `${this.source} lists not all images` }
          : { state: "missing" },
      );
    }
    const digest = found.digests
      .map((name) => name.slice(name.indexOf("@") + 1))
      .find((one) => isDigest(one));
    const value = {
      id: found.id,
      digest: digest === undefined || !isDigest(digest) ? undefined : digest,
      size: found.size,
    };
    return Promise.resolve({ state: "found", value });
  }

  #findByName(image: string): ListedImage | undefined {
    const wanted = normalise(image);
    if (wanted === undefined) return undefined;
    return this.#images.find(({ tags, digests }) =>
      [...tags, ...digests].some((name) => normalise(name) === wanted),
    );
  }
}

/** A tag beside a digest doesn't count. */
function normalise(name: string): string | undefined {
  try {
    const { digest, domain, path } = parseReference(name);
    return digest === undefined ? formatReference(parseDockerRef(name)) : `${domain}/${path}@${digest}`;
  } catch (error) {
    if (error instanceof InvalidReferenceError) return undefined;
    throw error;
  }
}

/** The output of `crictl images -o json`; undefined for another document. */
export function readCrictlImages(text: string): readonly ListedImage[] | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  const images = (document as { readonly images?: unknown } | null)?.images;
  if (!Array.isArray(images)) return undefined;
  return images.map((image: unknown) => {
    const { id, repoTags, repoDigests, size } = (image ?? {}) as Record<string, unknown>;
    return {
      id: typeof id === "string" ? id : "",
      tags: texts(repoTags),
      digests: texts(repoDigests),
      size: Number(size) || 0,
    };
  });
}

/** A Node's `status.images`, which is cut to the largest. */
export function readNodeImages(images: readonly unknown[]): readonly ListedImage[] {
  return images.map((image) => {
    const { names, sizeBytes } = (image ?? {}) as Record<string, unknown>;
    const all = texts(names);
    return {
      id: "",
      tags: all.filter((name) => !name.includes("@")),
      digests: all.filter((name) => name.includes("@")),
      size: Number(sizeBytes) || 0,
    };
  });
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
