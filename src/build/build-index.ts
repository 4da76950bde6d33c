import {
  type Annotations,
  type Descriptor,
  digestOf,
  formatPlatform,
  type ImageSink,
  type SignalOptions,
} from "../oci/index.ts";
import { bytesSource } from "./build-image.ts";
import { BuildError } from "./errors.ts";
import { FAMILIES, type MediaFamily } from "./media-family.ts";

export interface IndexOptions extends SignalOptions {
  /** Images that are in `to` already, each with its platform, as {@link buildImage} returns them. */
  readonly images: readonly Descriptor[];
  readonly annotations?: Annotations | undefined;
  readonly mediaTypes?: MediaFamily | undefined;
  readonly to: ImageSink;
  readonly as?: string | undefined;
}

/**
 * Makes one image for several platforms out of an image for each. The order is the caller's: of two entries that fit
 * equally, the first is taken.
 *
 * @throws BuildError `CONFIG_INVALID`, `UNSUPPORTED`
 */
export async function buildIndex(options: IndexOptions): Promise<Descriptor> {
  const { to, signal, mediaTypes = "oci" } = options;
  const types = FAMILIES[mediaTypes];
  const seen = new Set<string>();
  for (const { platform, digest, mediaType } of options.images) {
    if (platform === undefined) {
      throw new BuildError("CONFIG_INVALID", `Cannot put "${digest}" into an index: it has no platform`);
    }
    const name = formatPlatform(platform) + (platform["os.version"] ?? "");
    if (seen.has(name)) {
      throw new BuildError(
        "CONFIG_INVALID",
        `Cannot put "${digest}" into an index: another image is for ${name} too`,
      );
    }
    seen.add(name);
    if (mediaType !== types.manifest) {
      throw new BuildError(
        "UNSUPPORTED",
        `Cannot put "${digest}" into an index: it is a ${mediaType}, not a ${types.manifest}`,
      );
    }
  }
  if (mediaTypes === "docker" && options.annotations !== undefined) {
    throw new BuildError("UNSUPPORTED", "Cannot set annotations: Docker's lists have none; use OCI's");
  }
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.index,
      manifests: options.images,
      ...(options.annotations !== undefined && { annotations: options.annotations }),
    }),
  );
  const descriptor = { mediaType: types.index, digest: digestOf(bytes), size: bytes.length };
  await to.write(descriptor, bytesSource(bytes), { signal });
  if (options.as !== undefined) await to.tag(descriptor, options.as, { signal, source: bytesSource(bytes) });
  return descriptor;
}
