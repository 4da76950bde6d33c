import {
  type Descriptor,
  type ImageConfig,
  type ImageSource,
  isImageConfigType,
  isIndexType,
  type Manifest,
  parseImageConfig,
  parseManifest,
  type Platform,
  readContent,
  type SignalOptions,
} from "../oci/index.ts";
import { formatPlatform, listPlatforms, onlyStrictPlatform, selectPlatform } from "../oci/index.ts";
import { BuildError } from "./errors.ts";

export interface BaseOptions {
  readonly source: ImageSource;
  /** What the source's `resolve` takes: a tag, a name, a digest. */
  readonly reference: string;
  /** Recorded in the new image's annotations. */
  readonly name?: string | undefined;
}

/** An image for one platform, to build on. */
export interface BaseImage {
  readonly source: ImageSource;
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  /** The config as parsed, and as it was written with everything dray doesn't know. */
  readonly config: ImageConfig;
  readonly document: Readonly<Record<string, unknown>>;
}

const MAX_NESTING = 8;
const DEFAULT_PLATFORM: Platform = { os: "linux", architecture: "amd64" };

/**
 * Finds the base's image for a platform; without one, what a single image is for, or linux/amd64 in an index.
 *
 * @throws BuildError `BASE_INVALID`, or the source's error
 */
export async function readBase(
  base: BaseOptions,
  platform: Platform | undefined,
  options: SignalOptions = {},
): Promise<BaseImage> {
  const { source, reference } = base;
  const target = await source.resolve(reference, options);
  const found = await findImage(source, target, platform, 0, options);
  if (found !== undefined) return found;
  const wanted = formatPlatform(platform ?? DEFAULT_PLATFORM);
  throw new BuildError(
    "BASE_INVALID",
    `Cannot build on ${JSON.stringify(base.name ?? reference)}: it has no image for ${wanted}${await describe(source, target, options)}`,
  );
}

async function findImage(
  source: ImageSource,
  descriptor: Descriptor,
  platform: Platform | undefined,
  depth: number,
  options: SignalOptions,
): Promise<BaseImage | undefined> {
  const bytes = await readContent(source, descriptor, options);
  const document = parseManifest(bytes, { mediaType: descriptor.mediaType });
  if (document.kind === "index") {
    if (depth >= MAX_NESTING) return undefined;
    const wanted = platform ?? DEFAULT_PLATFORM;
    for (const { descriptor: candidate } of selectPlatform(document, onlyStrictPlatform(wanted)).candidates) {
      const found = await findImage(source, candidate, wanted, depth + 1, options);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (!isImageConfigType(document.config.mediaType)) {
    throw new BuildError(
      "BASE_INVALID",
      `Cannot build on "${descriptor.digest}": its config is ${JSON.stringify(document.config.mediaType)}, so it is an artifact`,
    );
  }
  const configBytes = await readContent(source, document.config, options);
  const config = parseImageConfig(configBytes);
  if (platform !== undefined && !onlyStrictPlatform(platform).matches(config.platform)) return undefined;
  if (config.diffIds.length !== document.layers.length) {
    throw new BuildError(
      "BASE_INVALID",
      `Cannot build on "${descriptor.digest}": it has ${document.layers.length} layers and ${config.diffIds.length} diff_ids`,
    );
  }
  const raw = JSON.parse(Buffer.from(configBytes).toString("utf8")) as Record<string, unknown>;
  return { source, descriptor, manifest: document, config, document: raw };
}

async function describe(source: ImageSource, target: Descriptor, options: SignalOptions): Promise<string> {
  if (!isIndexType(target.mediaType)) return "";
  const document = parseManifest(await readContent(source, target, options), { mediaType: target.mediaType });
  return document.kind === "index" ? `, only for ${listPlatforms(document).join(", ") || "none"}` : "";
}
