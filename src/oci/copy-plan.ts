/** What a copy consists of, found out before the first byte is written. */
import { type ContentSource, type SignalOptions } from "./content.ts";
import { type Descriptor } from "./descriptor.ts";
import { type Digest } from "./digest.ts";
import { childrenOf, MAX_DOCUMENT_SIZE, parseManifest } from "./documents.ts";
import { OciError } from "./errors.ts";
import { parseImageConfig } from "./image-config.ts";
import { type Index, type ManifestOrIndex } from "./manifest.ts";
import { type PlatformMatcher } from "./match-platform.ts";
import { isForeignLayerType, isImageConfigType, isIndexType } from "./media-types.ts";
import { isManifestOrIndexType, isSchema1Type } from "./media-types.ts";
import { memoryStream } from "./memory-content.ts";
import { forEachLimited } from "./for-each-limited.ts";
import { readContent } from "./read-content.ts";
import { listPlatforms, selectPlatform } from "./select-platform.ts";

/** Indexes inside indexes. */
export const MAX_INDEX_DEPTH = 8;
/** Manifests and indexes of one copy. */
export const MAX_DOCUMENTS = 4096;
/** Bytes of all of them, since they are kept in memory until they are written. */
export const MAX_DOCUMENT_BYTES: number = 64 * 1024 * 1024;

export interface CopyPlan {
  /** What the copy's name will point at. */
  readonly root: Descriptor;
  /** The image manifest for the wanted platform, when there is one. */
  readonly manifest: Descriptor | undefined;
  /** Documents in the order to write them: those of a group may go together, after all groups before. */
  readonly groups: readonly (readonly Descriptor[])[];
  /** Everything else, each digest once, in document order. */
  readonly blobs: readonly Descriptor[];
  /** Foreign layers that are left where they are. */
  readonly skipped: readonly Descriptor[];
  /** Reads what was fetched for the plan from memory, and all else from its source. */
  readonly source: ContentSource;
}

export interface PlanOptions extends SignalOptions {
  readonly matcher?: PlatformMatcher | undefined;
  readonly dropIndex: boolean;
  readonly foreignLayers: boolean;
  readonly concurrency: number;
}

interface Document {
  readonly descriptor: Descriptor;
  readonly content: ManifestOrIndex;
  /** Those of its children that are copied with it. */
  children: readonly Descriptor[];
}

/**
 * Reads every document a copy of `root` needs, each verified against its descriptor.
 *
 * @throws OciError `MANIFEST_INVALID`, `MANIFEST_UNSUPPORTED`, `PLATFORM_UNKNOWN`, or what reading throws
 */
export async function planCopy(
  source: ContentSource,
  root: Descriptor,
  options: PlanOptions,
): Promise<CopyPlan> {
  const planner = new Planner(source, options);
  if (!isDocument(root)) return planner.plan(root, undefined);
  const { content } = await planner.read(root);
  if (content.kind === "manifest" || options.matcher === undefined) {
    await planner.readBelow(root);
    return planner.plan(root, content.kind === "manifest" ? root : undefined);
  }
  const path = await planner.choose(root, content, options.matcher, 0);
  if (path === undefined) {
    const offered = listPlatforms(content).join(", ");
    throw new OciError(
      "PLATFORM_UNKNOWN",
      `Cannot choose from index "${root.digest}": nothing for the wanted platform; it has ${offered || "none"}`,
    );
  }
  const manifest = path.at(-1);
  return planner.plan(options.dropIndex && manifest !== undefined ? manifest : root, manifest);
}

class Planner {
  readonly #source: ContentSource;
  readonly #options: PlanOptions;
  readonly #documents = new Map<Digest, Document>();
  readonly #bytes = new Map<Digest, Uint8Array>();
  #total = 0;

  constructor(source: ContentSource, options: PlanOptions) {
    this.#source = source;
    this.#options = options;
  }

  async read(descriptor: Descriptor): Promise<Document> {
    const known = this.#documents.get(descriptor.digest);
    if (known !== undefined) {
      if (known.descriptor.size !== descriptor.size) throw twoSizes(descriptor, known.descriptor.size);
      if (isIndexType(descriptor.mediaType) !== (known.content.kind === "index")) {
        throw invalid(descriptor, "it is referred to both as a manifest and as an index");
      }
      return known;
    }
    if (this.#documents.size >= MAX_DOCUMENTS)
      throw invalid(descriptor, `there are more than ${MAX_DOCUMENTS}`);
    const bytes = await this.#fetch(descriptor);
    const content = parseManifest(bytes, { mediaType: descriptor.mediaType });
    const document = { descriptor, content, children: childrenOf(content) };
    this.#documents.set(descriptor.digest, document);
    return document;
  }

  /** Reads all that is below a document that was read, level by level. */
  async readBelow(root: Descriptor): Promise<void> {
    let level: readonly Descriptor[] = [root];
    for (let depth = 0; level.length > 0; depth++) {
      const found = level.flatMap(({ digest }) => this.#documents.get(digest)?.children ?? []);
      const next = uniqueBy(found.filter(isDocument));
      const first = next[0];
      if (first !== undefined && depth >= MAX_INDEX_DEPTH) throw tooDeep(first);
      const fresh = next.filter(({ digest }) => !this.#documents.has(digest));
      await forEachLimited(next, this.#options, async (descriptor) => void (await this.read(descriptor)));
      level = fresh;
    }
  }

  /** The way from an index to the manifest for a platform, or `undefined`. Narrows the indexes on it to that way. */
  async choose(
    descriptor: Descriptor,
    index: Index,
    matcher: PlatformMatcher,
    depth: number,
  ): Promise<readonly Descriptor[] | undefined> {
    if (depth >= MAX_INDEX_DEPTH) throw tooDeep(descriptor);
    for (const { descriptor: entry, verdict } of selectPlatform(index, matcher).candidates) {
      const { content } = await this.read(entry);
      const rest =
        content.kind === "index"
          ? await this.choose(entry, content, matcher, depth + 1)
          : verdict === "MATCHES" || (await this.#configMatches(content.config, matcher))
            ? [entry]
            : undefined;
      if (rest === undefined) continue;
      const document = this.#documents.get(descriptor.digest);
      if (document !== undefined) document.children = [entry];
      return [descriptor, ...rest];
    }
    return undefined;
  }

  plan(root: Descriptor, manifest: Descriptor | undefined): CopyPlan {
    const groups: Descriptor[][] = [];
    const blobs = new Map<Digest, Descriptor>();
    const skipped = new Map<Digest, Descriptor>();
    const heights = new Map<Digest, number>();
    const visit = (descriptor: Descriptor): number => {
      const known = heights.get(descriptor.digest);
      if (known !== undefined) return known;
      let height = 0;
      for (const child of this.#documents.get(descriptor.digest)?.children ?? []) {
        if (isDocument(child)) height = Math.max(height, visit(child) + 1);
        else if (isForeignLayerType(child.mediaType) && !this.#options.foreignLayers)
          skipped.set(child.digest, child);
        else {
          const other = blobs.get(child.digest);
          // Read once, it would be checked against one of the sizes only.
          if (other !== undefined && other.size !== child.size) throw twoSizes(child, other.size);
          blobs.set(child.digest, other ?? child);
        }
      }
      heights.set(descriptor.digest, height);
      (groups[height] ??= []).push(descriptor);
      return height;
    };
    if (isDocument(root)) visit(root);
    else blobs.set(root.digest, root);
    return {
      root,
      manifest,
      groups,
      blobs: [...blobs.values()],
      skipped: [...skipped.values()],
      source: this.#overlay(),
    };
  }

  async #configMatches(config: Descriptor, matcher: PlatformMatcher): Promise<boolean> {
    if (!isImageConfigType(config.mediaType)) return false;
    const { platform } = parseImageConfig(await this.#fetch(config));
    return matcher.matches(platform);
  }

  async #fetch(descriptor: Descriptor): Promise<Uint8Array> {
    const known = this.#bytes.get(descriptor.digest);
    if (known !== undefined) {
      if (known.length !== descriptor.size) throw twoSizes(descriptor, known.length);
      return known;
    }
    this.#total += Math.min(descriptor.size, MAX_DOCUMENT_SIZE);
    if (this.#total > MAX_DOCUMENT_BYTES) {
      throw invalid(descriptor, `there are more than ${MAX_DOCUMENT_BYTES} bytes of documents`);
    }
    const bytes = await readContent(this.#source, descriptor, { signal: this.#options.signal });
    this.#bytes.set(descriptor.digest, bytes);
    return bytes;
  }

  #overlay(): ContentSource {
    return {
      open: (descriptor, options) => {
        const bytes = this.#bytes.get(descriptor.digest);
        if (bytes === undefined) return this.#source.open(descriptor, options);
        return Promise.resolve(memoryStream(bytes, options));
      },
    };
  }
}

/** Schema 1 counts as a document, so that it is refused as what it is. */
function isDocument({ mediaType }: Descriptor): boolean {
  return isManifestOrIndexType(mediaType) || isSchema1Type(mediaType);
}

function uniqueBy(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  const seen = new Set<string>();
  return descriptors.filter(({ digest, mediaType, size }) => {
    const key = `${digest} ${isIndexType(mediaType)} ${size}`;
    return seen.size < seen.add(key).size;
  });
}

function tooDeep(descriptor: Descriptor): OciError {
  return invalid(descriptor, `it lies deeper than ${MAX_INDEX_DEPTH} indexes inside one another`);
}

function twoSizes({ digest, size }: Descriptor, other: number): OciError {
  const why = `it is said to have both ${other} and ${size} bytes`;
  return new OciError("MANIFEST_INVALID", `Cannot copy content "${digest}": ${why}`);
}

function invalid(descriptor: Descriptor, why: string): OciError {
  return new OciError("MANIFEST_INVALID", `Cannot copy document "${descriptor.digest}": ${why}`);
}
