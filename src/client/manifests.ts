import type { Descriptor, Digest, SignalOptions } from "../oci/index.ts";
import { digestAlgorithm, digestOf, DOCUMENT_READ_LIMIT, isDigest, OciError } from "../oci/index.ts";
import { isManifestOrIndexType, isSchema1Type, MEDIA_TYPES, parseManifest } from "../oci/index.ts";
import { routes, trimMediaType } from "../oci/index.ts";
import { isHtml } from "./answer-error.ts";
import { pumpContent } from "./content-encoding.ts";
import { ClientError } from "./errors.ts";
import type { Call } from "./exchange.ts";
import type { HttpResponse } from "./http.ts";
import { below, nameOf, type Place } from "./place.ts";
import { repositoryScope } from "./scope.ts";
import { sanitizeUrl } from "./sanitize-url.ts";
import { collect } from "./socket-response.ts";
import type { ObjectReference } from "./object-reference.ts";

/** Some servers look only for the exact types, and old ones answer with schema 1 to whoever doesn't ask. */
export const MANIFEST_ACCEPT: string = [
  MEDIA_TYPES.dockerManifest,
  MEDIA_TYPES.dockerList,
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.ociIndex,
  "*/*",
].join(", ");

/** Types that say nothing about a document; it has to be read to know. */
const VAGUE: ReadonlySet<string> = new Set([
  "",
  "application/json",
  "text/plain",
  "application/octet-stream",
]);

/** A manifest or index with the exact bytes that its digest is of. */
export interface ManifestDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

export function manifestCall(place: Place, reference: ObjectReference, options: SignalOptions): Call {
  const named = reference.digest ?? reference.tag ?? "";
  return {
    domain: place.domain,
    repository: place.repository,
    scopes: [repositoryScope(place.repository, ["pull"])],
    // A mirror without `resolve` may hold yesterday's tags.
    capabilities: reference.digest === undefined ? ["pull", "resolve"] : ["pull"],
    method: "GET",
    target: below(routes.manifest(place.repository, named)),
    headers: { accept: MANIFEST_ACCEPT },
    action: `read manifest ${JSON.stringify(named)} of ${nameOf(place)}`,
    missing: "MANIFEST_UNKNOWN",
    signal: options.signal,
  };
}

/**
 * Reads and checks a manifest or index.
 *
 * @throws ClientError
 */
export function readManifest(
  place: Place,
  reference: ObjectReference,
  options: SignalOptions = {},
): Promise<ManifestDocument> {
  const call = manifestCall(place, reference, options);
  return place.exchange.ask(call, ({ response }) => takeManifest(place, call, response, reference.digest));
}

async function takeManifest(
  place: Place,
  call: Call,
  response: HttpResponse,
  wanted: Digest | undefined,
): Promise<ManifestDocument> {
  refuseHtml(call, response);
  const bytes = await collect((consume) => pumpContent(response, consume), DOCUMENT_READ_LIMIT);
  const announced = response.header("docker-content-digest");
  const digest = checkDigest(place, call, bytes, { wanted, announced });
  return {
    descriptor: { mediaType: documentType(call, response, bytes), digest, size: bytes.length },
    bytes,
  };
}

/** @throws ClientError `RESPONSE_INVALID`: a login page or a portal is not a manifest */
export function refuseHtml(call: Pick<Call, "action" | "method">, response: HttpResponse): void {
  if (!isHtml(response)) return;
  const answer = `${call.method} ${sanitizeUrl(response.url)} answered ${response.status} with an HTML page`;
  throw new ClientError("RESPONSE_INVALID", `Cannot ${call.action}: ${answer}; is this a registry?`);
}

/** @throws ClientError `UNSUPPORTED` for schema 1 */
export function refuseSchema1(call: Pick<Call, "action">, mediaType: string): void {
  if (!isSchema1Type(mediaType)) return;
  throw new ClientError(
    "UNSUPPORTED",
    `Cannot ${call.action}: Docker schema 1 is not supported; push the image again with a newer tool`,
  );
}

function checkDigest(
  place: Place,
  call: Call,
  bytes: Uint8Array,
  names: { readonly wanted: Digest | undefined; readonly announced: string | undefined },
): Digest {
  const { wanted, announced } = names;
  if (wanted !== undefined) {
    const actual = digestOf(bytes, digestAlgorithm(wanted));
    if (actual === wanted) return wanted;
    throw new ClientError("DIGEST_INVALID", `Cannot ${call.action}: its bytes hash to ${actual}`);
  }
  if (announced === undefined) return digestOf(bytes);
  if (!isDigest(announced)) {
    place.onWarning(
      `${place.domain} named a digest dray cannot check, ${JSON.stringify(announced.slice(0, 80))}; using sha256`,
    );
    return digestOf(bytes);
  }
  const actual = digestOf(bytes, digestAlgorithm(announced));
  if (actual === announced) return announced;
  throw new ClientError(
    "DIGEST_INVALID",
    `Cannot ${call.action}: announced as ${announced}, but its bytes hash to ${actual}`,
  );
}

function documentType(call: Call, response: HttpResponse, bytes: Uint8Array): string {
  const announced = trimMediaType(response.header("content-type") ?? "");
  refuseSchema1(call, announced);
  if (!VAGUE.has(announced) && !isManifestOrIndexType(announced)) return announced;
  try {
    return parseManifest(bytes, VAGUE.has(announced) ? {} : { mediaType: announced }).mediaType;
  } catch (cause) {
    if (!(cause instanceof OciError)) throw cause;
    const code = cause.code === "MANIFEST_UNSUPPORTED" ? "UNSUPPORTED" : "MANIFEST_INVALID";
    throw new ClientError(code, `Cannot ${call.action}: ${cause.message.replace(/^Cannot /, "cannot ")}`, {
      cause,
    });
  }
}

/** Whether a `Content-Type` leaves open what the document is. */
export function isVague(mediaType: string): boolean {
  return VAGUE.has(mediaType);
}
