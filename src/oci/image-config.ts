/** The configuration of an image: what to run, on which platform, and the layers' uncompressed digests. */
import { findDigestFault, type Digest } from "./digest.ts";
import { MAX_DESCRIPTORS, MAX_DOCUMENT_SIZE } from "./documents.ts";
import { Reader } from "./json-reader.ts";
import { type Platform } from "./platform.ts";
import { readPlatform } from "./read-descriptor.ts";

/** How a container of the image is run. Absent members are the runtime's to choose. */
export interface ContainerConfig {
  readonly user?: string;
  /** `port/protocol`. */
  readonly exposedPorts?: readonly string[];
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly volumes?: readonly string[];
  readonly workingDir?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
  /** Windows: the arguments are escaped already. */
  readonly argsEscaped?: boolean;
}

export interface HistoryEntry {
  readonly created?: string;
  readonly createdBy?: string;
  readonly author?: string;
  readonly comment?: string;
  /** A step that changed no files, and so has no layer. */
  readonly emptyLayer: boolean;
}

export interface ImageConfig {
  /** RFC 3339, as it was written. */
  readonly created?: string;
  readonly author?: string;
  readonly platform: Platform;
  readonly config: ContainerConfig;
  /** Digests of the uncompressed layers, bottom first. */
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

/** Entries of a list in a config: environment, arguments, ports. */
const MAX_ENTRIES = 65_536;

/**
 * Reads an image's configuration, OCI's or Docker's. Only for documents whose media type says they are one: an
 * artifact's config may be anything.
 *
 * @throws OciError `MANIFEST_INVALID`, `DIGEST_INVALID`
 */
export function parseImageConfig(
  bytes: Uint8Array | string,
  options: { readonly limit?: number | undefined } = {},
): ImageConfig {
  const document = Reader.parse(bytes, "image config", options.limit ?? MAX_DOCUMENT_SIZE);
  const rootfs = document.object("rootfs");
  if (rootfs === undefined) throw document.invalid('it has no "rootfs"');
  const type = rootfs.string("type");
  if (type !== "layers") throw rootfs.invalid(`its type is ${JSON.stringify(type ?? "")}, not "layers"`);
  const created = document.string("created");
  const author = document.string("author");
  const config = document.object("config");
  return {
    ...(created !== undefined && { created }),
    ...(author !== undefined && { author }),
    platform: readPlatform(document),
    config: config === undefined ? {} : readContainerConfig(config),
    diffIds: (rootfs.strings("diff_ids", MAX_DESCRIPTORS) ?? []).map((text) => readDiffId(rootfs, text)),
    history: (document.objects("history", MAX_ENTRIES) ?? []).map(readHistoryEntry),
  };
}

function readDiffId(reader: Reader, text: string): Digest {
  if (findDigestFault(text) === undefined) return text as Digest;
  throw reader.invalid('an entry of "diff_ids" is not a digest', "DIGEST_INVALID");
}

function readContainerConfig(reader: Reader): ContainerConfig {
  return present({
    user: reader.string("User"),
    exposedPorts: reader.names("ExposedPorts"),
    env: reader.strings("Env", MAX_ENTRIES),
    entrypoint: reader.strings("Entrypoint", MAX_ENTRIES),
    cmd: reader.strings("Cmd", MAX_ENTRIES),
    volumes: reader.names("Volumes"),
    workingDir: reader.string("WorkingDir"),
    labels: reader.stringMap("Labels"),
    stopSignal: reader.string("StopSignal"),
    argsEscaped: reader.boolean("ArgsEscaped"),
  });
}

function readHistoryEntry(reader: Reader): HistoryEntry {
  return {
    ...present({
      created: reader.string("created"),
      createdBy: reader.string("created_by"),
      author: reader.string("author"),
      comment: reader.string("comment"),
    }),
    emptyLayer: reader.boolean("empty_layer") ?? false,
  };
}

/** Without the members that are `undefined`. */
function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
