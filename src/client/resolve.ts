import type { Descriptor, SignalOptions } from "../oci/index.ts";
import { DOCUMENT_READ_LIMIT, isDigest, routes, trimMediaType } from "../oci/index.ts";
import { ClientError } from "./errors.ts";
import type { Call } from "./exchange.ts";
import type { HttpResponse } from "./http.ts";
import { isVague, manifestCall, readManifest, refuseHtml, refuseSchema1 } from "./manifests.ts";
import { parseObjectReference, type ObjectReference } from "./object-reference.ts";
import { below, type Place } from "./place.ts";

/**
 * Finds what a tag or digest stands for, with a HEAD where that is enough: it doesn't count against pull limits.
 *
 * @throws ClientError `MANIFEST_UNKNOWN`, `UNAUTHORIZED`, `DENIED`…
 */
export async function resolve(place: Place, text: string, options: SignalOptions = {}): Promise<Descriptor> {
  const reference = parseObjectReference(text);
  const call = { ...manifestCall(place, reference, options), method: "HEAD" };
  let found: Descriptor | undefined;
  try {
    found = await head(place, { ...call, accept: [200, 405] }, reference);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    if (error.status === 404 && reference.digest !== undefined)
      return resolveBlob(place, call, reference, error);
    if (error.status === 403) throw await explainDenied(place, call, error);
    throw error;
  }
  return found ?? (await readManifest(place, reference, options)).descriptor;
}

function head(place: Place, call: Call, reference: ObjectReference): Promise<Descriptor | undefined> {
  return place.exchange.ask(call, async ({ response }) => {
    await response.discard();
    return response.status === 405 ? undefined : describe(call, response, reference);
  });
}

/** The descriptor, if the head alone tells all of it. */
function describe(call: Call, response: HttpResponse, reference: ObjectReference): Descriptor | undefined {
  refuseHtml(call, response);
  const mediaType = trimMediaType(response.header("content-type") ?? "");
  refuseSchema1(call, mediaType);
  const length = response.header("content-length") ?? "";
  const digest = reference.digest ?? response.header("docker-content-digest") ?? "";
  if (!/^[0-9]{1,15}$/.test(length) || !isDigest(digest)) return undefined;
  const size = Number(length);
  if (size > DOCUMENT_READ_LIMIT) {
    throw new ClientError(
      "SIZE_INVALID",
      `Cannot ${call.action}: ${size} bytes are more than the ${DOCUMENT_READ_LIMIT} a manifest may have`,
    );
  }
  return isVague(mediaType) || size === 0 ? undefined : { mediaType, digest, size };
}

/** A digest may name a blob; that it isn't a manifest anywhere was said by everybody who answered. */
async function resolveBlob(
  place: Place,
  call: Call,
  reference: ObjectReference,
  missing: ClientError,
): Promise<Descriptor> {
  if (reference.digest === undefined) throw missing;
  const target = below(routes.blob(place.repository, reference.digest));
  try {
    return await place.exchange.ask({ ...call, target, headers: { accept: "*/*" } }, async ({ response }) => {
      await response.discard();
      const size = response.header("content-length") ?? "";
      if (!/^[0-9]{1,15}$/.test(size) || reference.digest === undefined) throw missing;
      const mediaType = trimMediaType(response.header("content-type") ?? "");
      return {
        mediaType: mediaType === "" ? "application/octet-stream" : mediaType,
        digest: reference.digest,
        size: Number(size),
      };
    });
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) throw missing;
    throw error;
  }
}

/** A HEAD's refusal has no body to say why; a GET's has one. */
async function explainDenied(place: Place, call: Call, denied: ClientError): Promise<ClientError> {
  try {
    await place.exchange.ask({ ...call, method: "GET" }, ({ response }) => response.discard());
    return denied;
  } catch (error) {
    return error instanceof ClientError && error.status === 403 ? error : denied;
  }
}
