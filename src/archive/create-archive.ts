import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { pumpDecompressed } from "../internal/compression.ts";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestEncoded,
  DigestHasher,
  isImageConfigType,
  isManifestType,
  type Manifest,
  OciError,
  parseManifest,
  readContent,
  type SignalOptions,
} from "../oci/index.ts";
import { ArchiveDraft, type DraftImage } from "./archive-draft.ts";
import { type BlobFolder, blobPath } from "./blob-folder.ts";
import {
  DOCKER_MANIFEST,
  type DockerImage,
  formatDockerManifest,
  readDiffIds,
  repoTag,
} from "./docker-manifest.ts";
import { ArchiveError } from "./errors.ts";
import {
  checkName,
  emptyLayoutIndex,
  formatLayoutIndex,
  LAYOUT_HEADER,
  LAYOUT_INDEX,
  LAYOUT_MARK,
  putEntry,
} from "./layout-index.ts";
import { MAX_DOCUMENT } from "./tar-file.ts";
import type { TarOutput } from "./tar-output.ts";

/**
 * Begins an OCI archive that will replace the file `path`. Equal images under equal names give equal bytes.
 *
 * @throws ArchiveError `UNWRITABLE`
 */
export function createOciArchive(path: string): Promise<ArchiveDraft> {
  return ArchiveDraft.create(path, { members: writeLayout, check: (name) => name === "" || checkName(name) });
}

/**
 * Begins an archive as `docker save` makes them, that will replace the file `path`: single-platform images only,
 * layers uncompressed.
 *
 * @throws ArchiveError `UNWRITABLE`
 */
export function createDockerArchive(path: string): Promise<ArchiveDraft> {
  return ArchiveDraft.create(path, {
    members: writeDockerImages,
    check(name, descriptor) {
      if (name !== "") repoTag(name);
      if (!isManifestType(descriptor.mediaType)) throw notAnImage(path, descriptor);
    },
  });
}

async function writeLayout(
  tar: TarOutput,
  blobs: BlobFolder,
  images: readonly DraftImage[],
  options: SignalOptions,
): Promise<void> {
  await tar.folder("blobs");
  const root = join(blobs.root, "blobs");
  for (const algorithm of (await readdir(root)).sort()) {
    await tar.folder(`blobs/${algorithm}`);
    for (const encoded of (await readdir(join(root, algorithm))).sort()) {
      options.signal?.throwIfAborted();
      const digest = `${algorithm}:${encoded}` as Digest;
      await tar.stream(blobPath(digest), 0o444, async (consume) => {
        const stream = await blobs.open({ mediaType: "", digest, size: 0 }, options);
        await stream.pump(consume);
      });
    }
  }
  let index = emptyLayoutIndex();
  for (const { descriptor, names } of images) {
    for (const name of names.length === 0 ? [""] : names) index = putEntry(index, descriptor, name);
  }
  await tar.document(LAYOUT_MARK, Buffer.from(LAYOUT_HEADER), 0o444);
  await tar.document(LAYOUT_INDEX, formatLayoutIndex(index), 0o644);
}

/** Layers are named by diff ID, so images share them, and the archive doesn't depend on how they were compressed. */
async function writeDockerImages(
  tar: TarOutput,
  blobs: BlobFolder,
  images: readonly DraftImage[],
  options: SignalOptions,
): Promise<void> {
  const listed: DockerImage[] = [];
  const configs = new Map<string, Buffer>();
  const layers = new Map<Digest, Descriptor>();
  for (const { descriptor, names } of images) {
    const manifest = await readImage(blobs, descriptor);
    const config = Buffer.from(await readContent(blobs, manifest.config, { limit: MAX_DOCUMENT }));
    const diffIds = readDiffIds(config, blobs.root);
    if (diffIds.length !== manifest.layers.length) {
      throw new OciError(
        "MANIFEST_INVALID",
        `Cannot write image "${descriptor.digest}": it has ${manifest.layers.length} layers and ${diffIds.length} diff_ids`,
      );
    }
    for (const [i, diffId] of diffIds.entries()) layers.set(diffId, manifest.layers[i] as Descriptor);
    const configPath = `${digestEncoded(manifest.config.digest)}.json`;
    configs.set(configPath, config);
    listed.push({
      config: configPath,
      repoTags: names.map(repoTag).filter((name) => name !== undefined),
      layers: diffIds.map(layerPath),
    });
  }
  for (const diffId of [...layers.keys()].sort()) {
    await writeLayer(tar, blobs, diffId, layers.get(diffId) as Descriptor, options);
  }
  for (const path of [...configs.keys()].sort()) await tar.document(path, configs.get(path) as Buffer, 0o644);
  await tar.document(DOCKER_MANIFEST, formatDockerManifest(listed), 0o644);
}

function layerPath(diffId: Digest): string {
  return `${digestEncoded(diffId)}/layer.tar`;
}

async function writeLayer(
  tar: TarOutput,
  blobs: BlobFolder,
  diffId: Digest,
  layer: Descriptor,
  options: SignalOptions,
): Promise<void> {
  const hasher = new DigestHasher(digestAlgorithm(diffId));
  await tar.folder(digestEncoded(diffId));
  await tar.stream(layerPath(diffId), 0o644, async (consume) => {
    const stream = await blobs.open(layer, options);
    await pumpDecompressed(stream, (chunk) => {
      hasher.update(chunk);
      return consume(chunk);
    });
  });
  const digest = hasher.digest();
  if (digest === diffId) return;
  throw new OciError(
    "DIGEST_INVALID",
    `Cannot write layer "${layer.digest}": uncompressed it has digest ${digest}, and the image's config says ${diffId}`,
  );
}

async function readImage(blobs: BlobFolder, descriptor: Descriptor): Promise<Manifest> {
  const document = parseManifest(await readContent(blobs, descriptor), { mediaType: descriptor.mediaType });
  if (document.kind === "manifest" && isImageConfigType(document.config.mediaType)) return document;
  throw notAnImage(blobs.root, descriptor);
}

function notAnImage(path: string, descriptor: Descriptor): ArchiveError {
  return new ArchiveError(
    "ARCHIVE_UNSUPPORTED",
    `Cannot write "${descriptor.digest}" to Docker archive ${JSON.stringify(path)}: ` +
      `it is not an image for one platform; choose a platform, or write an OCI archive`,
  );
}
