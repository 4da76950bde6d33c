/** What a pull has to bring, read from the documents of its plan. */
import {
  type ContentSource,
  type CopyPlan,
  type Descriptor,
  isImageConfigType,
  memoryStream,
  OciError,
  parseImageConfig,
  parseManifest,
  readContent,
} from "../../oci/index.ts";
import { layersOf } from "../../unpack/index.ts";
import { chainId } from "../describe-image.ts";
import type { LayerToUnpack } from "./snapshots.ts";

export interface ReadImage {
  readonly config: Descriptor;
  readonly layers: readonly LayerToUnpack[];
  /** What belongs to an artifact, which nobody unpacks. */
  readonly parts: readonly Descriptor[];
  /** The plan's, with the config, which was read already. */
  readonly source: ContentSource;
}

/** @throws OciError `MANIFEST_UNSUPPORTED` for what is no image */
export async function readImage(plan: CopyPlan, signal: AbortSignal | undefined): Promise<ReadImage> {
  const { manifest: descriptor, source } = plan;
  if (descriptor === undefined) throw notAnImage(plan.root);
  const bytes = await readContent(source, descriptor, { signal });
  const manifest = parseManifest(bytes, { mediaType: descriptor.mediaType });
  if (manifest.kind !== "manifest") throw notAnImage(descriptor);
  // As in containerd an artifact is an image, too, that has nothing to run: Pods mount it.
  if (!isImageConfigType(manifest.config.mediaType)) {
    return { config: manifest.config, layers: [], parts: manifest.layers, source };
  }
  const text = await readContent(source, manifest.config, { signal });
  const config = parseImageConfig(text);
  const layers = layersOf({ descriptor, manifest, config });
  const ids = layers.map(({ diffId }) => diffId);
  return {
    config: manifest.config,
    parts: [],
    source: {
      open: async (wanted, options) =>
        wanted.digest === manifest.config.digest
          ? memoryStream(text, options)
          : await source.open(wanted, options),
    },
    layers: layers.map((layer, index) => ({
      ...layer,
      chainId: chainId(ids.slice(0, index + 1)),
      parent: chainId(ids.slice(0, index)),
    })),
  };
}

function notAnImage({ digest, mediaType }: Descriptor): OciError {
  return new OciError(
    "MANIFEST_UNSUPPORTED",
    `Cannot use "${digest}" as an image: it is a ${JSON.stringify(mediaType)}`,
  );
}
