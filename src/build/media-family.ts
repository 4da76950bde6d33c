import { type Descriptor, MEDIA_TYPES } from "../oci/index.ts";
import type { Compression } from "../internal/detect-compression.ts";
import { BuildError } from "./errors.ts";

/** Whose media types a document uses; one document never mixes them. */
export type MediaFamily = "oci" | "docker";

export interface FamilyTypes {
  readonly manifest: string;
  readonly index: string;
  readonly config: string;
  readonly layer: Readonly<Record<Compression, string | undefined>>;
}

/** Docker's own types have no zstd that registries and runtimes agree on. */
export const FAMILIES: Readonly<Record<MediaFamily, FamilyTypes>> = {
  oci: {
    manifest: MEDIA_TYPES.ociManifest,
    index: MEDIA_TYPES.ociIndex,
    config: MEDIA_TYPES.ociConfig,
    layer: { none: MEDIA_TYPES.ociLayer, gzip: MEDIA_TYPES.ociLayerGzip, zstd: MEDIA_TYPES.ociLayerZstd },
  },
  docker: {
    manifest: MEDIA_TYPES.dockerManifest,
    index: MEDIA_TYPES.dockerList,
    config: MEDIA_TYPES.dockerConfig,
    layer: { none: MEDIA_TYPES.dockerLayer, gzip: MEDIA_TYPES.dockerLayerGzip, zstd: undefined },
  },
};

const PAIRS: readonly (readonly [oci: string, docker: string | undefined])[] = [
  [MEDIA_TYPES.ociLayer, MEDIA_TYPES.dockerLayer],
  [MEDIA_TYPES.ociLayerGzip, MEDIA_TYPES.dockerLayerGzip],
  [MEDIA_TYPES.ociForeignLayer, MEDIA_TYPES.dockerForeignLayer],
  [MEDIA_TYPES.ociForeignLayerGzip, MEDIA_TYPES.dockerForeignLayerGzip],
  [MEDIA_TYPES.ociLayerZstd, undefined],
  [MEDIA_TYPES.ociForeignLayerZstd, undefined],
];

/**
 * A base's layer in the words of another family: the bytes stay.
 *
 * @throws BuildError `BASE_INVALID`, `UNSUPPORTED`
 */
export function translateLayer(layer: Descriptor, family: MediaFamily): Descriptor {
  const type = layer.mediaType === MEDIA_TYPES.dockerLayerZstd ? MEDIA_TYPES.ociLayerZstd : layer.mediaType;
  const pair = PAIRS.find((types) => types.includes(type));
  if (pair === undefined) {
    throw new BuildError(
      "BASE_INVALID",
      `Cannot build on layer "${layer.digest}": its media type is ${JSON.stringify(layer.mediaType)}`,
    );
  }
  const mediaType = pair[family === "oci" ? 0 : 1];
  if (mediaType !== undefined) return { ...layer, mediaType };
  throw new BuildError(
    "UNSUPPORTED",
    `Cannot build on layer "${layer.digest}": Docker's media types have no zstd; use OCI's`,
  );
}
