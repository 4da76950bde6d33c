import {
  type ContentSource,
  type Descriptor,
  hostPlatformMatcher,
  type ImageConfig,
  isImageConfigType,
  listPlatforms,
  type Manifest,
  MAX_INDEX_DEPTH,
  OciError,
  parseImageConfig,
  parseManifest,
  type Platform,
  type PlatformMatcher,
  readContent,
  selectPlatform,
  type SignalOptions,
} from "../oci/index.ts";
import { UnpackError } from "./errors.ts";

/** Whatever it is compressed with: that is seen in the bytes. */
const LAYER_TYPE = /^application\/vnd\.(?:oci\.image\.layer\.|docker\.image\.rootfs\.)/;

export interface ChosenImage {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
}

/** A layer with what it has to be uncompressed. */
export interface ChosenLayer {
  readonly descriptor: Descriptor;
  readonly diffId: ImageConfig["diffIds"][number];
}

export interface ChooseOptions extends SignalOptions {
  /** Which image to take out of an index. */
  readonly platform?: Platform | PlatformMatcher | undefined;
}

/**
 * Finds the image to unpack, below as many indexes as it may lie.
 *
 * @throws OciError `PLATFORM_UNKNOWN`, `MANIFEST_INVALID`, `MANIFEST_UNSUPPORTED`; UnpackError `IMAGE_INVALID`; or the
 *   source's error
 */
export async function chooseManifest(
  source: ContentSource,
  root: Descriptor,
  options: ChooseOptions,
  depth = 0,
): Promise<ChosenImage> {
  const found = await tryChoose(source, root, { ...options, depth, stated: true });
  if (found !== undefined && "manifest" in found) return found;
  const offered = found?.offered.join(", ");
  throw new OciError(
    "PLATFORM_UNKNOWN",
    `Cannot choose from index "${root.digest}": nothing for the wanted platform; it has ${offered || "none"}`,
  );
}

interface Step extends ChooseOptions {
  readonly depth: number;
  /** Whether the platform is known to fit, or nobody asks. */
  readonly stated: boolean;
}

async function tryChoose(
  source: ContentSource,
  descriptor: Descriptor,
  step: Step,
): Promise<ChosenImage | { readonly offered: readonly string[] } | undefined> {
  const { signal, depth } = step;
  if (depth > MAX_INDEX_DEPTH) {
    const why = `it lies deeper than ${MAX_INDEX_DEPTH} indexes inside one another`;
    throw new OciError("MANIFEST_INVALID", `Cannot read "${descriptor.digest}": ${why}`);
  }
  const bytes = await readContent(source, descriptor, { signal });
  const document = parseManifest(bytes, { mediaType: descriptor.mediaType });
  const matcher = matcherOf(step.platform);
  if (document.kind === "manifest") {
    const image = {
      descriptor,
      manifest: document,
      config: await readConfig(source, document, descriptor, signal),
    };
    return step.stated || matcher === undefined || matcher.matches(image.config.platform) ? image : undefined;
  }
  if (matcher === undefined) {
    throw new UnpackError(
      "IMAGE_INVALID",
      `Cannot unpack index "${descriptor.digest}": no platform was chosen`,
    );
  }
  for (const { descriptor: entry, verdict } of selectPlatform(document, matcher).candidates) {
    const below = { ...step, depth: depth + 1, stated: verdict === "MATCHES" };
    const found = await tryChoose(source, entry, below);
    if (found !== undefined && "manifest" in found) return found;
  }
  return { offered: listPlatforms(document) };
}

async function readConfig(
  source: ContentSource,
  manifest: Manifest,
  { digest }: Descriptor,
  signal: AbortSignal | undefined,
): Promise<ImageConfig> {
  const { config } = manifest;
  if (!isImageConfigType(config.mediaType)) {
    throw new UnpackError(
      "IMAGE_INVALID",
      `Cannot unpack "${digest}": it is no image, its config is a ${JSON.stringify(config.mediaType)}`,
    );
  }
  return parseImageConfig(await readContent(source, config, { signal }));
}

/** @throws UnpackError `IMAGE_INVALID`, `ARCHIVE_UNSUPPORTED` */
export function layersOf({ descriptor, manifest, config }: ChosenImage): readonly ChosenLayer[] {
  const { layers } = manifest;
  if (layers.length !== config.diffIds.length) {
    throw new UnpackError(
      "IMAGE_INVALID",
      `Cannot unpack "${descriptor.digest}": it has ${layers.length} layers, but its config tells of ${config.diffIds.length}`,
    );
  }
  return layers.map((layer, index) => {
    if (layer.mediaType.endsWith("+encrypted")) {
      throw new UnpackError("ARCHIVE_UNSUPPORTED", `Cannot unpack layer "${layer.digest}": it is encrypted`);
    }
    if (!LAYER_TYPE.test(layer.mediaType)) {
      const type = JSON.stringify(layer.mediaType);
      throw new UnpackError(
        "ARCHIVE_UNSUPPORTED",
        `Cannot unpack layer "${layer.digest}": it is a ${type}, not a layer of files`,
      );
    }
    return { descriptor: layer, diffId: config.diffIds[index] as ChosenLayer["diffId"] };
  });
}

function matcherOf(platform: Platform | PlatformMatcher | undefined): PlatformMatcher | undefined {
  return platform === undefined || "matches" in platform ? platform : hostPlatformMatcher(platform);
}
