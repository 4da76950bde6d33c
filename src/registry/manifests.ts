import { digestAlgorithm, digestOf, isDigest, isTag, routes } from "../oci/index.ts";
import type { Digest } from "../oci/index.ts";
import { isKnown } from "./blobs.ts";
import type { RegistryContext } from "./context.ts";
import { readPushedDocument, type PushedDocument } from "./document.ts";
import type { CachedManifest } from "./manifest-cache.ts";
import { describeFault } from "./limits.ts";
import type { FoundManifest, ManifestRecord, NewManifest, PutManifestOptions } from "./metadata.ts";
import { readContent } from "./read-content.ts";
import { readBody, type RegistryRequest, type RegistryResponse } from "./request.ts";
import { refuse, refuseAll, respond } from "./respond.ts";

/** Tags that one push by digest may set beside it. */
const MAX_TAG_PARAMETERS = 100;

/** GET and HEAD of a manifest that the cache could not answer. */
export async function serveManifest(
  context: RegistryContext,
  request: RegistryRequest,
  wanted: { readonly name: string; readonly reference: string },
): Promise<RegistryResponse> {
  const { name, reference } = wanted;
  const { cache, metadata } = context;
  // Asked before looking up: what changes in between makes the entry stale, never wrong.
  const generation = metadata.generation();
  const record: FoundManifest | undefined = isDigest(reference)
    ? await metadata.findManifest(name, reference, { touch: true })
    : await metadata.findTag(name, reference);
  if (record === undefined) return manifestUnknown(name, reference);
  const stale = cache.findStale(request.target);
  const read =
    stale?.digest === record.digest && stale.mediaType === record.mediaType
      ? stale
      : await readManifest(context, name, record);
  if (read === undefined) return manifestUnknown(name, reference);
  const answer = { ...read, loose: record.loose };
  if (generation !== undefined) cache.set(request.target, answer, generation);
  return answerCached(request, answer);
}

/** Chooses between the prepared answers. */
export function answerCached(request: RegistryRequest, manifest: CachedManifest): RegistryResponse {
  const { digest } = manifest;
  if (isKnown(request, digest)) {
    return respond(304, { "Docker-Content-Digest": digest, ETag: `"${digest}"` });
  }
  return request.method === "HEAD" ? manifest.head : manifest.get;
}

/** PUT: stores a document under its digest, and points tags at it. */
export async function putManifest(
  context: RegistryContext,
  request: RegistryRequest,
  wanted: { readonly name: string; readonly reference: string; readonly query: URLSearchParams },
): Promise<RegistryResponse> {
  const { name, reference } = wanted;
  const tags = isDigest(reference) ? [...new Set(wanted.query.getAll("tag"))] : [reference];
  const bad = tags.find((tag) => !isTag(tag));
  if (bad !== undefined) return tagInvalid(bad);
  if (tags.length > MAX_TAG_PARAMETERS) {
    return refuse("TAG_INVALID", `At most ${MAX_TAG_PARAMETERS} tags can be set at once`, { status: 414 });
  }
  const { maxManifestSize } = context.limits(name);
  const bytes = await readBody(request.body, maxManifestSize);
  if (bytes === undefined) {
    const message = `Manifests may have at most ${maxManifestSize} bytes here`;
    return refuse("SIZE_INVALID", message, { status: 413 });
  }
  const digest = digestOf(bytes, isDigest(reference) ? digestAlgorithm(reference) : "sha256");
  if (isDigest(reference) && digest !== reference) {
    return refuse("DIGEST_INVALID", `The manifest's digest is ${digest}, not ${reference}`, {
      detail: { digest: reference },
    });
  }
  const document = readPushedDocument(bytes, request.header("content-type"), maxManifestSize);
  if ("fault" in document) return refuse("MANIFEST_INVALID", document.fault);
  return await storeManifest(context, request, { name, reference, tags, digest, bytes, document });
}

/** Deletes one tag, or a manifest with all of its tags. */
export async function deleteManifest(
  context: RegistryContext,
  name: string,
  reference: string,
): Promise<RegistryResponse> {
  const { metadata } = context;
  const { isImmutable } = context.limits(name);
  if (!isDigest(reference)) {
    if (isImmutable(reference) && (await metadata.findTag(name, reference)) !== undefined) {
      return tagImmutable(reference);
    }
    return (await metadata.deleteTag(name, reference)) ? deleted() : manifestUnknown(name, reference);
  }
  let tag: string | undefined;
  const unlessTagged = (one: string): boolean => {
    if (!isImmutable(one)) return false;
    tag = one;
    return true;
  };
  if (await metadata.deleteManifest(name, reference, { unlessTagged })) return deleted();
  return tag === undefined ? manifestUnknown(name, reference) : tagImmutable(tag);
}

function deleted(): RegistryResponse {
  return respond(202, { "Content-Length": 0 });
}

/** Not 409: clients show the message of a 403 to their user and don't try again. */
function tagImmutable(tag: string): RegistryResponse {
  return refuse("DENIED", `Tag ${JSON.stringify(tag)} is immutable: it neither moves nor goes`, {
    detail: { tag },
  });
}

export function tagInvalid(tag: string): RegistryResponse {
  return refuse(
    "TAG_INVALID",
    "That is not a tag: it takes letters, digits, _, . and -, at most 128 of them",
    {
      detail: { tag: tag.slice(0, 200) },
    },
  );
}

interface Push {
  readonly name: string;
  readonly reference: string;
  readonly tags: readonly string[];
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly document: PushedDocument;
}

async function storeManifest(
  context: RegistryContext,
  request: RegistryRequest,
  push: Push,
): Promise<RegistryResponse> {
  const { name, tags, digest, bytes, document } = push;
  const { mediaType, subject } = document;
  // Durable bytes first: what the metadata names is always there.
  await storeBytes(context, digest, bytes);
  const record: ManifestRecord = { digest, mediaType, size: bytes.length };
  const manifest: NewManifest =
    subject === undefined
      ? record
      : { ...record, referrer: { subject, descriptor: { ...record, ...document.described } } };
  const expect = expectationOf(request, push);
  const { isImmutable, quotas } = context.limits(name);
  const outcome = await context.metadata.putManifest(name, manifest, {
    tags,
    blobs: context.sparse ? [] : document.blobs,
    manifests: context.sparse ? [] : document.manifests,
    links: document.links,
    immutable: tags.filter(isImmutable),
    quotas,
    ...(expect !== undefined && { expect }),
  });
  if (outcome.kind === "missing") return contentMissing(name, outcome.digests);
  if (outcome.kind === "conflict") {
    const message = `Tag ${JSON.stringify(push.reference)} is not what the request expects it to be`;
    return refuseAll(412, [{ code: "PRECONDITION_FAILED", message }]);
  }
  if (outcome.kind === "immutable") return tagImmutable(outcome.tag);
  if (outcome.kind === "quota") return refuse("DENIED", describeFault(outcome.fault));
  // Shown now, they are safe from collection; should it have been faster, they are stored again.
  await storeBytes(context, digest, bytes);
  for (const tag of tags) context.onTag?.({ repository: name, tag, digest });
  return respond(201, {
    Location: routes.manifest(name, digest),
    "Docker-Content-Digest": digest,
    "Content-Length": 0,
    ...(subject !== undefined && { "OCI-Subject": subject }),
    ...(isDigest(push.reference) && { "OCI-Tag": tags }),
  });
}

/** Makes the bytes of a manifest durable, unless they are. */
export async function storeBytes(context: RegistryContext, digest: Digest, bytes: Buffer): Promise<void> {
  if ((await context.blobs.find(digest, { touch: true })) !== undefined) return;
  await context.sessions.receive(context.newUploadId(), digest, async (ingest) => {
    await ingest.write(bytes);
    return true;
  });
}

/** `If-Match` and `If-None-Match: *` let several writers change one tag without losing each other's change. */
function expectationOf(request: RegistryRequest, push: Push): PutManifestOptions["expect"] {
  if (isDigest(push.reference)) return undefined;
  const match = request.header("if-match");
  if (match !== undefined) {
    const state = match.split(",").map((tag) => tag.trim().replace(/^"(.*)"$/, "$1"));
    return { tag: push.reference, state };
  }
  return request.header("if-none-match")?.trim() === "*"
    ? { tag: push.reference, state: "absent" }
    : undefined;
}

/** `undefined` when its bytes are not in the store. */
export async function readManifest(
  context: RegistryContext,
  name: string,
  record: ManifestRecord,
): Promise<CachedManifest | undefined> {
  const body = await readContent(context.blobs, record);
  if (body === undefined) return undefined;
  const head = respond(200, {
    "Content-Type": record.mediaType,
    "Content-Length": record.size,
    "Docker-Content-Digest": record.digest,
    ETag: `"${record.digest}"`,
  });
  return { ...record, repository: name, head, get: { ...head, body } };
}

function manifestUnknown(name: string, reference: string): RegistryResponse {
  return refuse("MANIFEST_UNKNOWN", `Repository ${JSON.stringify(name)} has no manifest ${reference}`, {
    detail: { reference },
  });
}

function contentMissing(name: string, digests: readonly Digest[]): RegistryResponse {
  const errors = digests.map((digest) => ({
    code: "MANIFEST_BLOB_UNKNOWN",
    message: `Repository ${JSON.stringify(name)} has no content ${digest}; push it first`,
    detail: { digest },
  }));
  return refuseAll(400, errors);
}
