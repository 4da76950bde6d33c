import type { ContentSource, Descriptor, Digest, ImageConfig } from "../oci/index.ts";
import { type ChooseOptions, chooseManifest, type ChosenLayer, layersOf } from "./choose-manifest.ts";
import { UnpackError } from "./errors.ts";
import { FarUnpacker } from "./far-unpacker.ts";
import type { FolderUnpackerOptions, UnpackedFacts } from "./folder-unpacker.ts";
import { type ImageUnpacker, NearUnpacker } from "./image-unpacker.ts";
import { LayerFeed } from "./layer-feed.ts";
import { formatLeftOut, type LeftOut } from "./left-out.ts";
import { Staging } from "./staging.ts";

/** How one layer is doing. Found come first, and in the end every layer is applied, in order. */
export type UnpackEvent =
  | { readonly type: "found"; readonly index: number; readonly descriptor: Descriptor }
  /** So many of its bytes have come. */
  | {
      readonly type: "fetched";
      readonly index: number;
      readonly descriptor: Descriptor;
      readonly bytes: number;
    }
  | {
      readonly type: "applied";
      readonly index: number;
      readonly descriptor: Descriptor;
      readonly diffId: Digest;
    };

/** Starting a thread takes as long as unpacking this much. */
const WORTH_A_THREAD = 8 * 1024 * 1024;

export interface UnpackImageOptions
  extends ChooseOptions, Pick<FolderUnpackerOptions, "limits" | "sameOwner" | "helpers"> {
  readonly source: ContentSource;
  /** What the image becomes. It doesn't exist yet, or is empty. */
  readonly folder: string;
  /** Whether a folder that isn't empty makes way. */
  readonly replace?: boolean | undefined;
  /** Whether to fail when something can't be set, instead of saying so. */
  readonly strict?: boolean | undefined;
  /** Layers fetched at a time, those before their turn into files; 3 by default. 1 is right for what is on this disk. */
  readonly concurrency?: number | undefined;
  /** Bytes of all layers, compressed, from which on files are made on a thread of their own; 8 MiB by default. */
  readonly threadFrom?: number | undefined;
  readonly onEvent?: ((event: UnpackEvent) => void) | undefined;
}

export interface UnpackedImage extends UnpackedFacts {
  /** The image that was chosen. */
  readonly manifest: Descriptor;
  readonly config: ImageConfig;
  readonly layers: number;
  /** Bytes of the layers as they are stored. */
  readonly layerBytes: number;
}

/**
 * Makes an image a folder of files. Layers are fetched, verified, uncompressed and applied in one go; the folder
 * appears when all of them are right, and not at all otherwise.
 *
 * @param root a manifest, or an index of several
 * @throws UnpackError; OciError `SIZE_INVALID`, `DIGEST_INVALID` and those of documents; or the source's error
 */
export async function unpackImage(root: Descriptor, options: UnpackImageOptions): Promise<UnpackedImage> {
  const { source, signal, onEvent } = options;
  const image = await chooseManifest(source, root, options);
  const layers = layersOf(image);
  await using staging = await Staging.open(options.folder, { replace: options.replace === true });
  for (const [index, { descriptor }] of layers.entries()) onEvent?.({ type: "found", index, descriptor });
  const facts = await unpackLayers(layers, staging, options);
  if (options.strict === true) assertComplete(facts.leftOut);
  signal?.throwIfAborted();
  staging.publish();
  return {
    ...facts,
    manifest: image.descriptor,
    config: image.config,
    layers: layers.length,
    layerBytes: bytesOf(layers),
  };
}

async function unpackLayers(
  layers: readonly ChosenLayer[],
  staging: Staging,
  { source, signal, onEvent, concurrency = 3, threadFrom = WORTH_A_THREAD, ...options }: UnpackImageOptions,
): Promise<UnpackedFacts> {
  const stop = new AbortController();
  const stopping = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const feeds = layers.map(({ descriptor }, index) => {
    const onProgress = (bytes: number): void => onEvent?.({ type: "fetched", index, descriptor, bytes });
    return new LayerFeed({
      source,
      descriptor,
      file: staging.file(`layer-${index}`),
      onProgress,
      signal: stopping,
    });
  });
  const Unpacker = bytesOf(layers) < threadFrom ? NearUnpacker : FarUnpacker;
  await using unpacker: ImageUnpacker = new Unpacker(staging.root, options);
  const applying: Promise<void>[] = [];
  try {
    for (const [index, { descriptor, diffId }] of layers.entries()) {
      const stream = await feeds[index]?.open();
      for (const feed of feeds.slice(index + 1, index + concurrency)) feed.prefetch();
      if (stream === undefined) continue;
      const { applied } = await unpacker.send(stream, { descriptor, diffId, signal: stopping });
      const told = applied.then(() => onEvent?.({ type: "applied", index, descriptor, diffId }));
      // Layers after one that is wrong needn't come any more.
      told.catch((error: unknown) => stop.abort(error));
      applying.push(told);
    }
    await Promise.all(applying);
    return await unpacker.finish();
  } finally {
    stop.abort();
    for (const feed of feeds) await feed.close();
  }
}

function bytesOf(layers: readonly ChosenLayer[]): number {
  return layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
}

function assertComplete(leftOut: readonly LeftOut[]): void {
  if (leftOut.length === 0) return;
  throw new UnpackError(
    "LEFT_OUT",
    `Cannot unpack everything: left out would be ${leftOut.map(formatLeftOut).join("; ")}`,
  );
}
