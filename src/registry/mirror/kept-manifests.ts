import { OciError, type Descriptor, type Digest } from "../../oci/index.ts";
import type { RegistryContext } from "../context.ts";
import { readPushedDocument } from "../document.ts";
import type { CachedManifest } from "../manifest-cache.ts";
import { readManifest, storeBytes } from "../manifests.ts";
import type { NewManifest } from "../metadata.ts";

/** A manifest that was brought here, ready to be answered; `undefined` when it isn't here. */
export async function readKept(
  context: RegistryContext,
  name: string,
  digest: Digest,
): Promise<CachedManifest | undefined> {
  const { metadata, cache } = context;
  const record = await metadata.findManifest(name, digest);
  if (record === undefined) return undefined;
  // No target of a request looks like this, so the registry itself never answers from the entry.
  const key = `${name}@${digest}`;
  const cached = cache.findStale(key);
  if (cached !== undefined && cached.mediaType === record.mediaType) return cached;
  const kept = await readManifest(context, name, record);
  if (kept !== undefined) cache.set(key, kept, 0);
  return kept;
}

/**
 * Keeps an upstream's manifest under its digest and tags, whether or not what it names is here.
 *
 * @throws OciError for what is no manifest or index
 */
export async function keepManifest(
  context: RegistryContext,
  manifest: {
    readonly name: string;
    readonly tags: readonly string[];
    readonly descriptor: Descriptor;
    readonly bytes: Uint8Array;
  },
): Promise<CachedManifest> {
  const { name, tags, bytes } = manifest;
  const { digest, mediaType, size } = manifest.descriptor;
  const document = readPushedDocument(bytes, mediaType, context.maxManifestSize);
  if ("fault" in document) throw new OciError("MANIFEST_INVALID", `Cannot read manifest: ${document.fault}`);
  await storeBytes(context, digest, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  const record = { digest, mediaType, size };
  const { subject } = document;
  const kept: NewManifest =
    subject === undefined
      ? record
      : { ...record, referrer: { subject, descriptor: { ...record, ...document.described } } };
  const links = [...document.blobs, ...document.manifests];
  await context.metadata.putManifest(name, kept, { tags, blobs: [], manifests: [], links });
  const answer = await readManifest(context, name, record);
  if (answer === undefined)
    throw new OciError("BLOB_UNKNOWN", `Cannot open blob "${digest}": not in the store`);
  return answer;
}
