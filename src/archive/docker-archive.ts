import { pumpDecompressed } from "../internal/compression.ts";
import {
  type Compression,
  COMPRESSION_MAGIC_LENGTH,
  detectCompression,
} from "../internal/detect-compression.ts";
import {
  type ContentStream,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  DigestHasher,
  digestOf,
  type ImageSource,
  MEDIA_TYPES,
  memoryStream,
  OciError,
  type OpenOptions,
  type SignalOptions,
} from "../oci/index.ts";
import { DOCKER_MANIFEST, type DockerImage, parseDockerManifest, readDiffIds } from "./docker-manifest.ts";
import { type ArchiveEntry, selectEntry } from "./layout-index.ts";
import { invalid, type TarFile, type TarMember } from "./tar-file.ts";

const DOCKER_LAYERS = {
  none: MEDIA_TYPES.dockerLayer,
  gzip: MEDIA_TYPES.dockerLayerGzip,
  zstd: MEDIA_TYPES.dockerLayerZstd,
} as const;
const OCI_LAYERS = {
  none: MEDIA_TYPES.ociLayer,
  gzip: MEDIA_TYPES.ociLayerGzip,
  zstd: MEDIA_TYPES.ociLayerZstd,
} as const;

interface Layer {
  readonly member: TarMember;
  readonly compression: Compression;
  readonly digest: Digest;
}

/**
 * What `docker save` writes, old form and new, as images: a manifest is made up for each, the config is the file's,
 * so the image ID stays what it was. Plain layers have their diff ID as digest and are verified by whoever reads
 * them; a compressed layer is read once beforehand, against its diff ID.
 */
export class DockerArchive implements ImageSource, AsyncDisposable {
  readonly form = "docker-archive";
  readonly #tar: TarFile;
  readonly #images: readonly DockerImage[];
  readonly #content = new Map<Digest, Buffer | TarMember>();
  readonly #scanned = new Map<number, Layer & { readonly diffId: Digest }>();
  #entries: Promise<readonly ArchiveEntry[]> | undefined;

  private constructor(tar: TarFile, images: readonly DockerImage[]) {
    this.#tar = tar;
    this.#images = images;
  }

  /** @internal Takes over the tar, and closes it when it isn't a Docker archive. */
  static async from(tar: TarFile): Promise<DockerArchive> {
    try {
      const manifest = await tar.read(DOCKER_MANIFEST);
      if (manifest === undefined)
        throw invalid(tar.label, "it is not a Docker archive: there is no manifest.json");
      return new DockerArchive(tar, parseDockerManifest(manifest, tar.label));
    } catch (error) {
      await tar.close();
      throw error;
    }
  }

  /** An entry for each name, and one for each image without names. */
  entries(options: SignalOptions = {}): Promise<readonly ArchiveEntry[]> {
    this.#entries ??= this.#readImages(options.signal).catch((error: unknown) => {
      this.#entries = undefined;
      throw error;
    });
    return this.#entries;
  }

  /** A name, `@N` for the image at that place, a manifest's digest, or nothing for the only image there is. */
  async resolve(reference: string = "", options: SignalOptions = {}): Promise<Descriptor> {
    const entries = await this.entries(options);
    const place = /^@([0-9]{1,5})$/.exec(reference)?.[1];
    if (place === undefined) return selectEntry(entries, reference, this.#tar.label).descriptor;
    const image = this.#images[Number(place)];
    if (image === undefined) return selectEntry([], reference, this.#tar.label).descriptor;
    return this.#readImage(image, options.signal);
  }

  open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    const found = this.#content.get(descriptor.digest);
    if (found === undefined) {
      const where = JSON.stringify(this.#tar.label);
      return Promise.reject(
        new OciError("BLOB_UNKNOWN", `Cannot open blob "${descriptor.digest}": not in ${where}`),
      );
    }
    return Promise.resolve(
      found instanceof Uint8Array ? memoryStream(found, options) : this.#tar.open(found, options),
    );
  }

  close(): Promise<void> {
    return this.#tar.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #readImages(signal: AbortSignal | undefined): Promise<readonly ArchiveEntry[]> {
    const entries: ArchiveEntry[] = [];
    for (const image of this.#images) {
      const descriptor = await this.#readImage(image, signal);
      if (image.repoTags.length === 0) entries.push({ descriptor });
      for (const name of image.repoTags) entries.push({ name, fullName: name, descriptor });
    }
    return entries;
  }

  async #readImage(image: DockerImage, signal: AbortSignal | undefined): Promise<Descriptor> {
    const config = await this.#readConfig(image.config);
    const diffIds = readDiffIds(config, this.#tar.label);
    if (diffIds.length !== image.layers.length) {
      const counts = `${image.layers.length} layers, but its config has ${diffIds.length} diff_ids`;
      throw invalid(this.#tar.label, `the image ${JSON.stringify(image.config)} has ${counts}`);
    }
    const layers: Layer[] = [];
    for (const [i, path] of image.layers.entries()) {
      signal?.throwIfAborted();
      layers.push(await this.#readLayer(path, diffIds[i] as Digest, signal));
    }
    // Docker's own documents have no zstd that old tools would know, OCI's have.
    const oci = layers.some((layer) => layer.compression === "zstd");
    const types = oci ? OCI_LAYERS : DOCKER_LAYERS;
    const mediaType = oci ? MEDIA_TYPES.ociManifest : MEDIA_TYPES.dockerManifest;
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType,
        config: {
          mediaType: oci ? MEDIA_TYPES.ociConfig : MEDIA_TYPES.dockerConfig,
          size: config.length,
          digest: digestOf(config),
        },
        layers: layers.map(({ compression, member, digest }) => ({
          mediaType: types[compression],
          size: member.size,
          digest,
        })),
      }),
    );
    const digest = digestOf(manifest);
    this.#content.set(digest, manifest);
    this.#content.set(digestOf(config), config);
    for (const layer of layers) this.#content.set(layer.digest, layer.member);
    return { mediaType, digest, size: manifest.length };
  }

  async #readConfig(path: string): Promise<Buffer> {
    const config = await this.#tar.read(path);
    if (config === undefined) throw invalid(this.#tar.label, `${JSON.stringify(path)} is missing`);
    // The name of the file is the image's ID; bytes that don't match it are another image.
    const named = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(path)?.[1];
    const digest = digestOf(config);
    if (named === undefined || digest === `sha256:${named}`) return config;
    throw invalid(this.#tar.label, `the bytes of ${JSON.stringify(path)} have digest ${digest}`);
  }

  async #readLayer(path: string, diffId: Digest, signal: AbortSignal | undefined): Promise<Layer> {
    const member = this.#tar.find(path);
    if (member === undefined) throw invalid(this.#tar.label, `the layer ${JSON.stringify(path)} is missing`);
    const head: number[] = [];
    const stream = this.#tar.open({
      offset: member.offset,
      size: Math.min(member.size, COMPRESSION_MAGIC_LENGTH),
    });
    await stream.pump((chunk) => void head.push(...chunk));
    const compression = detectCompression(Uint8Array.from(head));
    if (compression === "none") return { member, compression, digest: diffId };

    const known = this.#scanned.get(member.offset);
    const layer = known ?? { member, compression, ...(await this.#scan(member, diffId, path, signal)) };
    this.#scanned.set(member.offset, layer);
    if (layer.diffId === diffId) return layer;
    throw invalid(
      this.#tar.label,
      `the layer ${JSON.stringify(path)} has diff ID ${layer.diffId}, not ${diffId}`,
    );
  }

  async #scan(
    member: TarMember,
    diffId: Digest,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<{ digest: Digest; diffId: Digest }> {
    const packed = new DigestHasher();
    const plain = new DigestHasher(digestAlgorithm(diffId));
    const stream = this.#tar.open(member, { signal });
    const tapped = {
      pump: (consume: (chunk: Uint8Array) => void | Promise<void>): Promise<void> =>
        stream.pump((chunk) => {
          packed.update(chunk);
          return consume(chunk);
        }),
    };
    try {
      await pumpDecompressed(tapped, (chunk) => void plain.update(chunk));
    } catch (error) {
      if (signal?.aborted === true) throw error;
      throw invalid(this.#tar.label, `the layer ${JSON.stringify(path)} cannot be decompressed`, error);
    }
    return { digest: packed.digest(), diffId: plain.digest() };
  }
}
