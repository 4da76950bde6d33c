import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Compression } from "../internal/detect-compression.ts";
import {
  ANNOTATIONS,
  type Annotations,
  type ContentSource,
  type Descriptor,
  digestOf,
  type ImageSink,
  isForeignLayerType,
  memoryStream,
  type Platform,
  type SignalOptions,
} from "../oci/index.ts";
import { adaptToBase } from "./base-folders.ts";
import { type BaseImage, type BaseOptions, readBase } from "./base-image.ts";
import { BuildError, contextError } from "./errors.ts";
import { type BuildWarning, type CopyRule, type FolderNode, gatherFiles } from "./file-tree.ts";
import { compileIgnore, parseIgnoreFile } from "./ignore.ts";
import { type Layer, type Owner, writeLayer } from "./layer.ts";
import { FAMILIES, type MediaFamily, translateLayer } from "./media-family.ts";
import { checkPlatform, type ImageSettings, mergeSettings } from "./settings.ts";

export interface BuildOptions extends SignalOptions {
  /** The folder with the files; without one, only the base's configuration changes. */
  readonly context?: string | undefined;
  readonly base?: BaseOptions | undefined;
  /** What goes where; the whole context to `/` by default. A later rule wins over an earlier one. */
  readonly copy?: readonly CopyRule[] | undefined;
  /** Patterns as in `.dockerignore`; they come after those of the context's own `.dockerignore`. */
  readonly ignore?: readonly string[] | undefined;
  readonly config?: ImageSettings | undefined;
  /** The base's by default, or linux/amd64: never this machine's, so that every machine builds the same. */
  readonly platform?: Platform | undefined;
  readonly compression?: Compression | undefined;
  /** Milliseconds since the epoch, of the image and of every file in it; the epoch itself by default. */
  readonly created?: number | undefined;
  readonly author?: string | undefined;
  /** Of every file; root by default. `preserve` takes the context's, which is seldom the same on two machines. */
  readonly owner?: Owner | "preserve" | undefined;
  /** Permission bits as they are. Otherwise 0755 for folders and executables and 0644 for other files. */
  readonly preserveModes?: boolean | undefined;
  /** On the manifest. */
  readonly annotations?: Annotations | undefined;
  readonly mediaTypes?: MediaFamily | undefined;
  /** Where the image goes. */
  readonly to: ImageSink;
  /** The name it gets there; none by default. */
  readonly as?: string | undefined;
  /** Where the layer is kept while it is made; the system's folder by default. */
  readonly tempDir?: string | undefined;
}

export interface BuildResult {
  /** The manifest, with the platform, ready to be put into an index. */
  readonly descriptor: Descriptor;
  readonly config: Descriptor;
  /** Bottom first, the base's included. */
  readonly layers: readonly Descriptor[];
  readonly warnings: readonly BuildWarning[];
}

/**
 * Makes an image of files, on top of a base or of nothing. The same input gives the same digest on any machine.
 *
 * @throws BuildError, or an error of the base's source or the sink
 */
export async function buildImage(options: BuildOptions): Promise<BuildResult> {
  const { signal, to, mediaTypes = "oci", compression = "gzip" } = options;
  signal?.throwIfAborted();
  const types = FAMILIES[mediaTypes];
  const layerType = types.layer[compression];
  if (layerType === undefined) {
    throw new BuildError(
      "UNSUPPORTED",
      "Cannot compress with zstd: Docker's media types have none; use OCI's",
    );
  }
  if (mediaTypes === "docker" && options.annotations !== undefined) {
    throw new BuildError("UNSUPPORTED", "Cannot set annotations: Docker's manifests have none; use OCI's");
  }
  const time = readTime(options.created ?? 0);
  if (options.platform !== undefined) checkPlatform(options.platform);

  const base = options.base && (await readBase(options.base, options.platform, { signal }));
  // Before any work: a wrong option should not cost a transfer.
  const settings = mergeSettings(
    (base?.document["config"] as Record<string, unknown>) ?? {},
    options.config ?? {},
  );
  const baseLayers = base?.manifest.layers.map((layer) => translateLayer(layer, mediaTypes)) ?? [];
  const { root, warnings } = await gather(options);
  // Every layer below is there before the document that needs it; and a sink that can be read saves reading a
  // registry twice.
  if (base !== undefined) await copyLayers(baseLayers, base.source, to, signal);
  if (base !== undefined && root !== undefined) {
    await adaptToBase(root, baseLayers, isSource(to) ? to : base.source, { signal });
  }
  const owner = options.owner ?? { uid: 0, gid: 0 };
  const { preserveModes = false, tempDir } = options;
  const layer =
    root && (await writeLayer(root, { compression, time, owner, preserveModes, tempDir, signal }));
  try {
    const layers = [...baseLayers];
    if (layer !== undefined) layers.push({ mediaType: layerType, digest: layer.digest, size: layer.size });
    const document = configDocument(options, { base, settings, layer, time });
    const config = Buffer.from(JSON.stringify(document));
    const configDescriptor = { mediaType: types.config, digest: digestOf(config), size: config.length };
    const annotations = mergeAnnotations(options, base, mediaTypes);
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: types.manifest,
        config: configDescriptor,
        layers,
        ...(annotations !== undefined && { annotations }),
      }),
    );
    const target = { mediaType: types.manifest, digest: digestOf(manifest), size: manifest.length };

    if (layer !== undefined) await to.write(layers.at(-1) as Descriptor, layer.source, { signal });
    await to.write(configDescriptor, bytesSource(config), { signal });
    await to.write(target, bytesSource(manifest), { signal });
    if (options.as !== undefined) await to.tag(target, options.as, { signal, source: bytesSource(manifest) });
    const platform = platformOf(options, base);
    return { descriptor: { ...target, platform }, config: configDescriptor, layers, warnings };
  } finally {
    await layer?.close();
  }
}

export function bytesSource(bytes: Uint8Array): ContentSource {
  return { open: (_descriptor, options) => Promise.resolve(memoryStream(bytes, options)) };
}

/** Stores, layouts and drafts can be read; a registry is read through its client, which needn't be the one pushing. */
function isSource(sink: ImageSink): sink is ImageSink & ContentSource {
  return "open" in sink && typeof sink.open === "function";
}

async function gather(
  options: BuildOptions,
): Promise<{ readonly root: FolderNode | undefined; readonly warnings: readonly BuildWarning[] }> {
  const { context, signal } = options;
  if (context === undefined) {
    if (options.copy === undefined) return { root: undefined, warnings: [] };
    throw new BuildError("COPY_INVALID", "Cannot copy files: there is no context folder to take them from");
  }
  const patterns = [...(await readIgnoreFile(context)), ...(options.ignore ?? [])];
  return gatherFiles(context, {
    rules: options.copy ?? [{}],
    ignore: patterns.length === 0 ? undefined : compileIgnore(patterns),
    signal,
  });
}

async function readIgnoreFile(context: string): Promise<readonly string[]> {
  try {
    return parseIgnoreFile(await readFile(join(context, ".dockerignore"), "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A context that is missing, or a single file, is told about where it is read.
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw contextError(error, join(context, ".dockerignore"));
  }
}

interface Parts {
  readonly base: BaseImage | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly layer: Layer | undefined;
  readonly time: number;
}

/** Docker leaves what was the state of its builder in configs; it would be wrong about the new image. */
const STALE = new Set([
  "container",
  "container_config",
  "docker_version",
  "id",
  "parent",
  "throwaway",
  "moby.buildkit.buildinfo.v1",
]);

function configDocument(
  options: BuildOptions,
  { base, settings, layer, time }: Parts,
): Record<string, unknown> {
  const created = new Date(time * 1000).toISOString().replace(".000Z", "Z");
  const author = options.author ?? base?.config.author;
  const { os, architecture, variant, ...versions } = platformOf(options, base);
  const own: Record<string, unknown> = {
    created,
    ...(author !== undefined && { author }),
    architecture,
    ...(variant !== undefined && { variant }),
    os,
    ...versions,
    config: settings,
    rootfs: { type: "layers", diff_ids: [...(base?.config.diffIds ?? []), ...(layer ? [layer.diffId] : [])] },
    history: [
      ...((base?.document["history"] as unknown[] | undefined) ?? []),
      { created, created_by: describeBuild(options), ...(layer === undefined && { empty_layer: true }) },
    ],
  };
  for (const [key, value] of Object.entries(base?.document ?? {})) {
    if (!(key in own) && !STALE.has(key)) own[key] = value;
  }
  return own;
}

/** Only what the caller said: where the context lies must not show. */
function describeBuild(options: BuildOptions): string {
  if (options.context === undefined) return "dray build";
  const rules = (options.copy ?? [{}]).map(({ from = ".", to = "/" }) => `${from} ${to}`);
  return `dray build: copy ${rules.join(", ")}`;
}

function platformOf(options: BuildOptions, base: BaseImage | undefined): Platform {
  return base?.config.platform ?? options.platform ?? { os: "linux", architecture: "amd64" };
}

function mergeAnnotations(
  options: BuildOptions,
  base: BaseImage | undefined,
  family: MediaFamily,
): Annotations | undefined {
  if (family === "docker") return undefined;
  const merged: Record<string, string> = {
    ...(base !== undefined && { [ANNOTATIONS.baseDigest]: base.descriptor.digest }),
    ...(options.base?.name !== undefined && { [ANNOTATIONS.baseName]: options.base.name }),
    ...options.annotations,
  };
  const entries = Object.entries(merged).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** A few at a time; the first failure stops the others. */
async function copyLayers(
  layers: readonly Descriptor[],
  source: ContentSource,
  to: ImageSink,
  signal: AbortSignal | undefined,
): Promise<void> {
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  // Foreign layers stay where their `urls` say; a layer that occurs twice is copied once.
  const queue = [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
  const pending = queue.filter((layer) => !isForeignLayerType(layer.mediaType)).values();
  const workers = Array.from({ length: 3 }, async () => {
    for (const layer of pending) {
      either.throwIfAborted();
      await to.write(layer, source, { signal: either });
    }
  });
  try {
    await Promise.all(workers);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(workers);
    throw error;
  }
}

/** Whole seconds, which is what tar keeps. */
function readTime(created: number): number {
  const seconds = Math.floor(created / 1000);
  // The year 9999, the last that RFC 3339 can write.
  if (Number.isFinite(created) && seconds >= 0 && seconds <= 253_402_300_799) return seconds;
  throw new BuildError(
    "CONFIG_INVALID",
    `Cannot set creation time ${JSON.stringify(created)}: it should be between the years 1970 and 9999`,
  );
}
