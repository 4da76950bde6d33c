import { digestAlgorithm, digestOf, findDigestFault, isDigest, routes } from "../oci/index.ts";
import { DIGEST_ALGORITHMS, isRepositoryName, type Digest, type DigestAlgorithm } from "../oci/index.ts";
import { pullFrom } from "./access.ts";
import { blobCreated } from "./blobs.ts";
import type { RegistryContext } from "./context.ts";
import { describeFault, type QuotaFault } from "./limits.ts";
import { formatReceived, parseContentRange } from "./range.ts";
import type { RegistryRequest, RegistryResponse } from "./request.ts";
import { deny, refuse, respond, type ResponseHeaders } from "./respond.ts";
import { pushTo } from "./route-rules.ts";
import { UploadRoom } from "./upload-room.ts";
import type { LinkOutcome, Receiving } from "./upload-sessions.ts";
import { visibleRepositories } from "./visible.ts";

/** Stops a body that goes on beyond what it may have. */
class TooMuch extends Error {}

/** POST: a mount, a whole blob in one request, or a session to send it in. */
export async function startUpload(
  context: RegistryContext,
  request: RegistryRequest,
  wanted: { readonly name: string; readonly query: URLSearchParams },
): Promise<RegistryResponse> {
  const { name, query } = wanted;
  const hint = query.get("digest-algorithm") ?? undefined;
  if (hint !== undefined && !isAlgorithm(hint)) {
    return refuse("DIGEST_INVALID", `Digest algorithm ${JSON.stringify(hint)} is not supported`);
  }
  const mount = query.get("mount");
  if (mount !== null && isDigest(mount)) {
    const mounted = await mountBlob(context, request, { name, digest: mount, from: query.get("from") });
    return mounted ?? (await createSession(context, name, hint));
  }
  const digest = query.get("digest");
  if (digest === null) return await createSession(context, name, hint);
  if (!isDigest(digest)) return digestInvalid(digest);
  // An empty body is a blob only where the digest says so; otherwise the client wants a session.
  if (request.body.length === 0 && digest !== digestOf("", digestAlgorithm(digest))) {
    return await createSession(context, name, hint);
  }
  return await receiveWhole(context, request, { name, digest });
}

/** GET: how far an upload has come. */
export async function describeUpload(
  context: RegistryContext,
  name: string,
  id: string,
): Promise<RegistryResponse> {
  const offset = await context.sessions.findOffset(name, id);
  return offset === undefined ? uploadUnknown(id) : respond(204, progressOf(name, id, offset));
}

/** PATCH: one more chunk, or a stream of unknown length. */
export async function appendToUpload(
  context: RegistryContext,
  request: RegistryRequest,
  wanted: { readonly name: string; readonly id: string },
): Promise<RegistryResponse> {
  const { name, id } = wanted;
  const result = await context.sessions.use({ repository: name, id }, async ({ ingest }) => {
    const refusal = await append(context, request, { name, id, ingest });
    return refusal ?? respond(202, { ...progressOf(name, id, ingest.offset), "Content-Length": 0 });
  });
  return settle(result, id);
}

/** PUT: maybe the last chunk, then the digest that all of it has to have. */
export async function finishUpload(
  context: RegistryContext,
  request: RegistryRequest,
  wanted: { readonly name: string; readonly id: string; readonly query: URLSearchParams },
): Promise<RegistryResponse> {
  const { name, id } = wanted;
  const digest = wanted.query.get("digest") ?? "";
  if (!isDigest(digest)) return digestInvalid(digest);
  const result = await context.sessions.use(
    { repository: name, id },
    async (turn) => {
      const refusal = await append(context, request, { name, id, ingest: turn.ingest });
      if (refusal !== undefined) return refusal;
      const outcome = await turn.finish(digest, context.limits(name));
      return answerLinked(outcome, { name, id, digest });
    },
    { algorithm: digestAlgorithm(digest) },
  );
  return settle(result, id);
}

/** DELETE: the client won't come back. */
export async function cancelUpload(
  context: RegistryContext,
  name: string,
  id: string,
): Promise<RegistryResponse> {
  const result = await context.sessions.use({ repository: name, id }, async (turn) => {
    await turn.drop();
    return respond(204, {});
  });
  return settle(result, id);
}

async function createSession(
  context: RegistryContext,
  name: string,
  algorithm: DigestAlgorithm | undefined,
): Promise<RegistryResponse> {
  const id = context.newUploadId();
  await context.sessions.create({ id, repository: name, startedAt: context.clock(), algorithm });
  return respond(202, { ...progressOf(name, id, 0), "Content-Length": 0 });
}

/** Links a blob that the caller may read elsewhere; `undefined` when there is none, or none they may know of. */
async function mountBlob(
  context: RegistryContext,
  request: RegistryRequest,
  wanted: { readonly name: string; readonly digest: Digest; readonly from: string | null },
): Promise<RegistryResponse | undefined> {
  const { name, digest, from } = wanted;
  const { access, metadata, blobs } = context;
  if (from !== null && !isRepositoryName(from)) return undefined;
  for await (const source of from === null ? mountSources(context, request, digest) : [from]) {
    const both = [pushTo(name), pullFrom(source)];
    const decision = await access.authorize(request, both);
    // The caller may read it, and only their token doesn't say so: with the next one the upload is saved. Who named
    // no source can't have asked for it, and most clients don't ask twice.
    if (from !== null && !decision.allowed && decision.renewable === true) return deny(decision, both);
    if (!decision.allowed) continue;
    const blob = await metadata.findBlob(source, digest);
    if (blob === undefined || (await blobs.find(digest, { touch: true })) === undefined) continue;
    const outcome = await context.sessions.link(name, blob, context.limits(name));
    if (outcome.kind !== "lost") return answerLinked(outcome, { name, id: "", digest });
  }
  return undefined;
}

function answerLinked(
  outcome: LinkOutcome,
  wanted: { readonly name: string; readonly id: string; readonly digest: Digest },
): RegistryResponse {
  switch (outcome.kind) {
    case "linked":
      return blobCreated(wanted.name, wanted.digest);
    case "quota":
      return overQuota(outcome.fault);
    case "lost":
      return uploadUnknown(wanted.id);
  }
}

/** Without `from`, any repository will do that this caller may read. */
async function* mountSources(
  context: RegistryContext,
  request: RegistryRequest,
  digest: Digest,
): AsyncGenerator<string, void> {
  const view = await context.access.viewFor(request);
  yield* visibleRepositories(view, (page) => context.metadata.findBlobRepositories(digest, page));
}

async function receiveWhole(
  context: RegistryContext,
  request: RegistryRequest,
  wanted: { readonly name: string; readonly digest: Digest },
): Promise<RegistryResponse> {
  const { name, digest } = wanted;
  const limits = context.limits(name);
  if (limits.quotas.length > 0) return await receiveCounted(context, request, wanted);
  const id = context.newUploadId();
  let refusal: RegistryResponse | undefined;
  const blob = await context.sessions.receive(id, digest, async (ingest) => {
    refusal = await append(context, request, { name, id, ingest });
    return refusal === undefined;
  });
  if (blob === undefined) return refusal ?? uploadUnknown(id);
  return answerLinked(await context.sessions.link(name, blob, limits), { name, id, digest });
}

/** A session keeps the room that was promised to the blob while it comes in. */
async function receiveCounted(
  context: RegistryContext,
  request: RegistryRequest,
  wanted: { readonly name: string; readonly digest: Digest },
): Promise<RegistryResponse> {
  const { name, digest } = wanted;
  const id = context.newUploadId();
  const algorithm = digestAlgorithm(digest);
  await context.sessions.create({ id, repository: name, startedAt: context.clock(), algorithm });
  const result = await context.sessions.use({ repository: name, id }, async (turn) => {
    let refusal: RegistryResponse | undefined;
    let received = false;
    try {
      refusal = await append(context, request, { name, id, ingest: turn.ingest });
      received = refusal === undefined;
    } finally {
      // Nobody knows of this session who could come back to it.
      if (!received) await turn.drop();
    }
    return refusal ?? answerLinked(await turn.finish(digest, context.limits(name)), { name, id, digest });
  });
  return settle(result, id);
}

/** Appends the request's body, or says why not; of a refused chunk nothing stays. */
async function append(
  context: RegistryContext,
  request: RegistryRequest,
  target: { readonly name: string; readonly id: string; readonly ingest: Receiving },
): Promise<RegistryResponse | undefined> {
  const { ingest } = target;
  const { body } = request;
  const { given } = body;
  const start = ingest.offset;
  const header = request.header("content-range");
  const range = header === undefined ? undefined : parseContentRange(header);
  if (header !== undefined && range?.first !== start) return outOfOrder(target);
  const promised = range === undefined ? body.length : range.last - range.first + 1;
  if (body.length !== undefined && body.length !== promised) return wrongLength(target);
  const { maxBlobSize, quotas } = context.limits(target.name);
  const most = Math.min(promised ?? Infinity, maxBlobSize - start);
  if (promised !== undefined && promised > most) return tooLarge(maxBlobSize);
  if (body.length === 0) return undefined;
  const room = new UploadRoom(context.metadata, { id: target.id, repository: target.name }, quotas);
  const refused = promised === undefined ? undefined : await room.claim(start + promised);
  if (refused !== undefined) return overQuota(refused);
  let received = 0;
  let fault: QuotaFault | undefined;
  const writeCounted = async (chunk: Uint8Array): Promise<void> => {
    fault = await room.claimAhead(start + received);
    if (fault !== undefined) throw new TooMuch();
    await ingest.write(chunk, { given });
  };
  try {
    await body.pump((chunk) => {
      received += chunk.length;
      if (received > most) throw new TooMuch();
      return room.isEnoughFor(start + received) ? ingest.write(chunk, { given }) : writeCounted(chunk);
    });
    if (promised === undefined) await room.settle(ingest.offset);
    if (promised === undefined || received === promised) return undefined;
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
  }
  await ingest.truncate(start);
  await room.settle(start);
  if (fault !== undefined) return overQuota(fault);
  return promised === undefined ? tooLarge(maxBlobSize) : wrongLength(target);
}

function settle(result: RegistryResponse | "unknown" | "busy", id: string): RegistryResponse {
  if (result === "unknown") return uploadUnknown(id);
  if (result !== "busy") return result;
  return refuse("BLOB_UPLOAD_INVALID", `Upload ${JSON.stringify(id)} is busy with another request`, {
    status: 409,
  });
}

function progressOf(name: string, id: string, offset: number): ResponseHeaders {
  return { Location: routes.upload(name, id), Range: formatReceived(offset), "Docker-Upload-UUID": id };
}

function outOfOrder(target: { readonly name: string; readonly id: string; readonly ingest: Receiving }) {
  const { name, id, ingest } = target;
  return refuse("RANGE_INVALID", `The next chunk of this upload begins at byte ${ingest.offset}`, {
    headers: progressOf(name, id, ingest.offset),
  });
}

function wrongLength(target: { readonly name: string; readonly id: string; readonly ingest: Receiving }) {
  const { name, id, ingest } = target;
  return refuse("SIZE_INVALID", "The body is longer or shorter than its Content-Range says", {
    headers: progressOf(name, id, ingest.offset),
  });
}

function tooLarge(limit: number): RegistryResponse {
  return refuse("SIZE_INVALID", `Blobs may have at most ${limit} bytes here`, { status: 413 });
}

/** Not 413 nor 429: the one speaks of the blob alone, and after the other clients try again and again. */
function overQuota(fault: QuotaFault): RegistryResponse {
  return refuse("DENIED", describeFault(fault));
}

function digestInvalid(text: string): RegistryResponse {
  const fault = findDigestFault(text);
  const message =
    text === ""
      ? "The digest of the content is missing: add ?digest=sha256:…"
      : fault === "unsupported"
        ? "The digest's algorithm is not supported"
        : "That is not a digest";
  return refuse("DIGEST_INVALID", message, { detail: { digest: text.slice(0, 200) } });
}

function uploadUnknown(id: string): RegistryResponse {
  return refuse(
    "BLOB_UPLOAD_UNKNOWN",
    `There is no upload ${JSON.stringify(id.slice(0, 100))} in this repository`,
  );
}

function isAlgorithm(text: string): text is DigestAlgorithm {
  return (DIGEST_ALGORITHMS as readonly string[]).includes(text);
}
