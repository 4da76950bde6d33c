import {
  type ContentSource,
  type Descriptor,
  type Digest,
  isDigest,
  isManifestOrIndexType,
} from "../oci/index.ts";
import { MEDIA_TYPES } from "../oci/index.ts";
import type { BlobInfo } from "./blob-store.ts";

/** No document that dray accepts is larger. */
const DOCUMENT_LIMIT = 4 * 1024 * 1024;

/** What a blob points at, if it is a manifest, an index, or something of their shape. */
export interface Links {
  readonly mediaType: string;
  /** Documents in their turn: the entries of an index. */
  readonly documents: readonly Digest[];
  /** Config, layers, and other content that isn't looked into. */
  readonly leaves: readonly Digest[];
  readonly subject: Digest | undefined;
}

/**
 * Reads what a blob points at; `undefined` when it isn't here or is no document. Lenient on purpose: a document
 * that is refused for pulling still keeps its content from being collected, and one with a media type we never
 * heard of is known by its shape.
 */
export async function readLinks(
  blobs: ContentSource & { find(digest: Digest): Promise<BlobInfo | undefined> },
  digest: Digest,
  signal?: AbortSignal,
): Promise<Links | undefined> {
  const info = await blobs.find(digest);
  if (info === undefined || info.size > DOCUMENT_LIMIT || info.size < 2) return undefined;
  const text = await readJsonText(blobs, info, signal);
  return text === undefined ? undefined : parseLinks(text);
}

/** Reads a blob whole if it begins like a JSON object. */
async function readJsonText(
  blobs: ContentSource,
  info: BlobInfo,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const descriptor: Descriptor = { mediaType: "application/json", digest: info.digest, size: info.size };
  const bytes = Buffer.allocUnsafe(info.size);
  let filled = 0;
  const notJson = new Error("not JSON");
  try {
    const stream = await blobs.open(descriptor, { signal });
    await stream.pump((chunk) => {
      if (filled === 0 && !/^\s*\{/.test(Buffer.from(chunk.subarray(0, 64)).toString("latin1")))
        throw notJson;
      bytes.set(chunk.subarray(0, bytes.length - filled), filled);
      filled += chunk.length;
    });
  } catch (error) {
    // Deleted since it was found: then it points at nothing.
    if (error === notJson || (error instanceof Error && "code" in error && error.code === "BLOB_UNKNOWN")) {
      return undefined;
    }
    throw error;
  }
  return bytes.toString("utf8", 0, Math.min(filled, bytes.length));
}

function parseLinks(text: string): Links | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(json)) return undefined;
  const entries = [json["config"], ...listOf(json["layers"]), ...listOf(json["blobs"])];
  const manifests = listOf(json["manifests"]);
  const subject = digestOfEntry(json["subject"]);
  if (
    ![...entries, ...manifests].some((entry) => digestOfEntry(entry) !== undefined) &&
    subject === undefined
  ) {
    return undefined;
  }
  const nested = entries.filter(
    (entry) => isRecord(entry) && isManifestOrIndexType(String(entry["mediaType"])),
  );
  const mediaType = json["mediaType"];
  return {
    mediaType: typeof mediaType === "string" ? mediaType : guessType(manifests.length > 0),
    documents: digestsOf([...manifests, ...nested]),
    leaves: digestsOf(entries.filter((entry) => !nested.includes(entry))),
    subject,
  };
}

function guessType(isIndex: boolean): string {
  return isIndex ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
}

function digestsOf(entries: readonly unknown[]): readonly Digest[] {
  return entries.map(digestOfEntry).filter((digest) => digest !== undefined);
}

function digestOfEntry(entry: unknown): Digest | undefined {
  const digest = isRecord(entry) ? entry["digest"] : undefined;
  return typeof digest === "string" && isDigest(digest) ? digest : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
