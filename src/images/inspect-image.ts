import {
  type ContentSource,
  type Descriptor,
  type Manifest,
  OciError,
  type PlatformMatcher,
  type SignalOptions,
  isIndexType,
  isManifestType,
  parseManifest,
  readContent,
  selectPlatform,
} from "../oci/index.ts";

/** One image for one platform, found by its documents. */
export interface ImageFacts {
  /** What was asked for: an index or a manifest. */
  readonly target: Descriptor;
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  /** Everything it consists of, each digest once: indexes on the way, manifest, config, layers. */
  readonly contents: readonly Descriptor[];
  /** Bytes of all contents. */
  readonly size: number;
}

/** Indexes inside indexes; copying refuses deeper ones too. */
const MAX_DEPTH = 8;

/**
 * Finds the image for a platform below a target. `undefined` when the target is no image, or a document on the way
 * isn't here: an index of which only another platform was brought.
 */
export async function inspectImage(
  source: ContentSource,
  target: Descriptor,
  options: SignalOptions & { readonly matcher: PlatformMatcher },
): Promise<ImageFacts | undefined> {
  const path = await findManifest(source, target, options, 0);
  const last = path?.at(-1);
  if (path === undefined || last === undefined) return undefined;
  const { descriptor, manifest } = last;
  const indexes = path.slice(0, -1).map((step) => step.descriptor);
  const unique = new Map<string, Descriptor>();
  for (const content of [...indexes, descriptor, manifest.config, ...manifest.layers]) {
    unique.set(content.digest, content);
  }
  const contents = [...unique.values()];
  const size = contents.reduce((total, content) => total + content.size, 0);
  return { target, descriptor, manifest, contents, size };
}

interface Step {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
}

async function findManifest(
  source: ContentSource,
  descriptor: Descriptor,
  options: SignalOptions & { readonly matcher: PlatformMatcher },
  depth: number,
): Promise<readonly Step[] | undefined> {
  if (depth > MAX_DEPTH || !(isIndexType(descriptor.mediaType) || isManifestType(descriptor.mediaType)))
    return undefined;
  const document = await readDocument(source, descriptor, options);
  if (document === undefined) return undefined;
  if (document.kind === "manifest") return [{ descriptor, manifest: document }];
  for (const { descriptor: entry } of selectPlatform(document, options.matcher).candidates) {
    const rest = await findManifest(source, entry, options, depth + 1);
    const found = rest?.at(-1);
    if (rest !== undefined && found !== undefined) return [{ descriptor, manifest: found.manifest }, ...rest];
  }
  return undefined;
}

async function readDocument(
  source: ContentSource,
  descriptor: Descriptor,
  options: SignalOptions,
): Promise<ReturnType<typeof parseManifest> | undefined> {
  try {
    return parseManifest(await readContent(source, descriptor, options), { mediaType: descriptor.mediaType });
  } catch (error) {
    if (error instanceof OciError && error.code === "BLOB_UNKNOWN") return undefined;
    throw error;
  }
}
