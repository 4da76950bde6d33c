import { OciError, routes, type Digest } from "../oci/index.ts";
import { openFileStream } from "./file-stream.ts";
import { parseRange, type ByteRange } from "./range.ts";
import type { BlobLink } from "./metadata.ts";
import type { RegistryContext } from "./context.ts";
import type { RegistryRequest, RegistryResponse, ResponseStream } from "./request.ts";
import { refuse, respond, type ResponseHeaders } from "./respond.ts";

/** GET and HEAD of a blob, whole or a range of it. */
export async function serveBlob(
  context: RegistryContext,
  request: RegistryRequest,
  wanted: { readonly name: string; readonly digest: Digest },
): Promise<RegistryResponse> {
  const { name, digest } = wanted;
  const isHead = request.method === "HEAD";
  // Who is told that a blob is here counts on it from now on.
  const blob = await context.metadata.findBlob(name, digest, { touch: isHead });
  if (blob === undefined) return blobUnknown(name, digest);
  const headers = {
    "Docker-Content-Digest": digest,
    ETag: `"${digest}"`,
    "Accept-Ranges": "bytes",
    "Cache-Control": "max-age=31536000",
  };
  if (isHead && (await context.blobs.find(digest, { touch: true })) === undefined) {
    return blobUnknown(name, digest);
  }
  if (isKnown(request, digest)) return respond(304, headers);
  // Ranges are for GET alone.
  if (isHead) return respondWith(headers, blob, undefined);
  const wish = isOtherVersion(request, digest) ? undefined : request.header("range");
  const range = wish === undefined ? undefined : parseRange(wish, blob.size);
  if (range === "unsatisfiable") return rangeUnsatisfiable(blob);
  const stream = await openBlob(context, blob, range);
  return stream === undefined ? blobUnknown(name, digest) : respondWith(headers, blob, range, stream);
}

/** Whether the client has it already. */
export function isKnown(request: RegistryRequest, digest: Digest): boolean {
  const known = request.header("if-none-match");
  return known !== undefined && (known.includes(`"${digest}"`) || known.trim() === "*");
}

/** A client that goes on with what it has of something else gets the whole. */
function isOtherVersion(request: RegistryRequest, digest: Digest): boolean {
  const version = request.header("if-range");
  return version !== undefined && version.trim() !== `"${digest}"`;
}

/** Takes a blob out of a repository. Its bytes stay for others, and for the collection. */
export async function deleteBlob(
  context: RegistryContext,
  name: string,
  digest: Digest,
): Promise<RegistryResponse> {
  const deleted = await context.metadata.unlinkBlob(name, digest);
  return deleted ? respond(202, { "Content-Length": 0 }) : blobUnknown(name, digest);
}

/** A blob that is there now, whichever way it came. */
export function blobCreated(name: string, digest: Digest): RegistryResponse {
  return respond(201, {
    Location: routes.blob(name, digest),
    "Docker-Content-Digest": digest,
    "Content-Length": 0,
  });
}

function respondWith(
  headers: ResponseHeaders,
  blob: BlobLink,
  range: ByteRange | undefined,
  stream?: ResponseStream,
): RegistryResponse {
  const length = range === undefined ? blob.size : range.last - range.first + 1;
  const all = { "Content-Type": "application/octet-stream", "Content-Length": length, ...headers };
  if (range === undefined) return respond(200, all, stream);
  const part = `bytes ${range.first}-${range.last}/${blob.size}`;
  return respond(206, { ...all, "Content-Range": part }, stream);
}

async function openBlob(
  context: RegistryContext,
  blob: BlobLink,
  range: ByteRange | undefined,
): Promise<ResponseStream | undefined> {
  const first = range?.first ?? 0;
  const length = range === undefined ? blob.size : range.last - first + 1;
  const path = context.blobs.pathOf(blob.digest);
  if (path !== undefined) return await openFileStream(path, first, length);
  try {
    const descriptor = { ...blob, mediaType: "application/octet-stream" };
    const stream = await context.blobs.open(descriptor, { offset: first });
    return {
      length,
      pump: (consume) => pumpExactly(stream, length, consume),
      close: () => stream.close(),
    };
  } catch (error) {
    if (error instanceof OciError && error.code === "BLOB_UNKNOWN") return undefined;
    throw error;
  }
}

const ENOUGH = Symbol("enough");

/** Sources deliver to the end of the content; a range may stop before. */
async function pumpExactly(
  stream: Pick<ResponseStream, "pump">,
  length: number,
  consume: Parameters<ResponseStream["pump"]>[0],
): Promise<void> {
  let left = length;
  if (left === 0) return;
  try {
    await stream.pump(async (chunk) => {
      const part = chunk.length > left ? chunk.subarray(0, left) : chunk;
      left -= part.length;
      await consume(part);
      // oxlint-disable-next-line typescript/only-throw-error -- not a failure: the way to stop a source
      if (left === 0) throw ENOUGH;
    });
  } catch (error) {
    if (error !== ENOUGH) throw error;
  }
}

function blobUnknown(name: string, digest: Digest): RegistryResponse {
  return refuse("BLOB_UNKNOWN", `Repository ${JSON.stringify(name)} has no blob ${digest}`, {
    detail: { digest },
  });
}

function rangeUnsatisfiable(blob: BlobLink): RegistryResponse {
  return refuse("RANGE_INVALID", `The blob has ${blob.size} bytes; the range asks for others`, {
    headers: { "Content-Range": `bytes */${blob.size}` },
  });
}
