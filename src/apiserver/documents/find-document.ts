/**
 * What the API says of itself: discovery, its version, its OpenAPI documents.
 *
 *     /api  /apis  /api/v1  /apis/GROUP  /apis/GROUP/v1     what there is; the first two also in one for all of it
 *     /version                                              which Kubernetes this is like
 *     /openapi/v3  /openapi/v3/apis/GROUP/v1?hash=…         what objects look like, and what can be done with them
 *     /openapi/v2                                           the same, for older clients
 *
 * None of it changes while the process runs, so each is made once, when first asked for.
 */
import { createHash } from "node:crypto";

import { failure, type JsonObject, type StatusError } from "../../kubernetes/index.ts";
import { acceptedTypes, type MediaType } from "./accept.ts";
import { aggregatedDiscovery, type AggregatedVersion, plainDiscovery } from "./discovery.ts";
import { API_GROUPS, rootOf } from "./groups.ts";
import { openApiV2 } from "./openapi-v2.ts";
import { encodeOpenApiV2 } from "./openapi-v2-protobuf.ts";
import { openApiV3 } from "./openapi-v3.ts";
import { VERSION } from "./version.ts";

export interface ApiDocument {
  readonly contentType: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
  /** In quotes, as the header has it; of documents that clients keep. */
  readonly etag?: string;
  /** Whether another Accept header would have brought another document. */
  readonly varies: boolean;
}

export interface FindDocumentOptions {
  /** The Accept header; undefined is the same as any. */
  readonly accept: string | undefined;
  /** Host and port that clients reach this server at. */
  readonly serverAddress: string;
}

/**
 * @returns undefined for a path that isn't one of ours
 * @throws StatusError `NotAcceptable` where the document has no form that is asked for
 */
export function findDocument(path: string, options: FindDocumentOptions): ApiDocument | undefined {
  const accepted = acceptedTypes(options.accept);
  const clean = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  if (clean === "/version") return json(VERSION);
  if (clean === "/openapi/v3") return openApiIndex();
  if (clean.startsWith("/openapi/")) return openApi(clean, accepted);
  const plain = plainDiscovery(clean, options.serverAddress);
  return plain === undefined ? undefined : discovery(clean, { plain, accepted });
}

function discovery(
  path: string,
  { plain, accepted }: { readonly plain: JsonObject; readonly accepted: readonly MediaType[] },
): ApiDocument {
  const isRoot = path === "/api" || path === "/apis";
  for (const type of accepted) {
    const version = aggregatedVersion(type);
    if (isRoot && version !== undefined) return aggregated(path, version);
    if (version === undefined && matchesJson(type)) break;
  }
  if (!accepted.some((type) => matchesJson(type))) throw notAcceptable(["application/json"]);
  return { ...json(plain), varies: isRoot };
}

function aggregated(path: string, version: AggregatedVersion): ApiDocument {
  return remember(`${path} ${version}`, () => {
    const document = aggregatedDiscovery(path, version) as JsonObject;
    const contentType = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    return withEtag({ ...json(document), contentType, varies: true });
  });
}

function aggregatedVersion({ type, parameters }: MediaType): AggregatedVersion | undefined {
  const isAggregated =
    type === "application/json" &&
    parameters.get("g") === "apidiscovery.k8s.io" &&
    parameters.get("as") === "APIGroupDiscoveryList";
  const version = parameters.get("v");
  return isAggregated && (version === "v2" || version === "v2beta1") ? version : undefined;
}

const V3 = "/openapi/v3/";

/** As clients ask for it, and as the answer calls it. */
const PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
const PROTOBUF_TYPES: readonly string[] = [
  "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
  PROTOBUF,
];

function openApi(path: string, accepted: readonly MediaType[]): ApiDocument | undefined {
  const group = API_GROUPS.find((one) => path === `${V3}${rootOf(one)}`);
  if (group === undefined && path !== "/openapi/v2") return undefined;
  const isProtobuf = ({ type }: MediaType): boolean => group === undefined && PROTOBUF_TYPES.includes(type);
  const chosen = accepted.find((type) => matchesJson(type) || isProtobuf(type));
  if (chosen === undefined) {
    throw notAcceptable(["application/json", ...(group === undefined ? [PROTOBUF] : [])]);
  }
  if (isProtobuf(chosen)) {
    return remember(`${path} protobuf`, () =>
      withEtag({ contentType: PROTOBUF, body: encodeOpenApiV2(openApiV2()), varies: true }),
    );
  }
  return remember(path, () =>
    withEtag({ ...json(group === undefined ? openApiV2() : openApiV3(group)), varies: true }),
  );
}

/** Relative addresses hold the hashes of the documents, which may be kept for ever under them. */
function openApiIndex(): ApiDocument {
  return remember("/openapi/v3", () => {
    const paths = API_GROUPS.map((group) => rootOf(group)).toSorted();
    const entries = paths.map((path) => {
      const etag = openApi(`${V3}${path}`, acceptedTypes(undefined))?.etag ?? "";
      return [path, { serverRelativeURL: `${V3}${path}?hash=${hashOf(etag)}` }] as const;
    });
    return withEtag({
      ...json({ paths: Object.fromEntries(entries) }),
      contentType: "text/plain; charset=utf-8",
    });
  });
}

/** The hash in an address and the one in the header are the same, but for the quotes. */
export function hashOf(etag: string): string {
  return etag.slice(1, -1);
}

function json(document: JsonObject): ApiDocument {
  return { contentType: "application/json", body: JSON.stringify(document), varies: false };
}

function withEtag(document: ApiDocument): ApiDocument {
  const hash = createHash("sha512").update(document.body).digest("hex").toUpperCase();
  return { ...document, etag: `"${hash}"` };
}

const made = new Map<string, ApiDocument>();

function remember(key: string, make: () => ApiDocument): ApiDocument {
  let document = made.get(key);
  if (document === undefined) {
    document = make();
    made.set(key, document);
  }
  return document;
}

function matchesJson({ type }: MediaType): boolean {
  return type === "application/json" || type === "application/*" || type === "*/*";
}

export function notAcceptable(representations: readonly string[]): StatusError {
  const list = representations.join(", ");
  return failure("NotAcceptable", `406: Not Acceptable\n\nAvailable representations: ${list}`, {});
}
