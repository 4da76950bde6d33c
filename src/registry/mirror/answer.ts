import { isDigest, isRepositoryName, isTag, type RouteMatch } from "../../oci/index.ts";
import type { RegistryContext } from "../context.ts";
import type { RegistryRequest, RegistryResponse } from "../request.ts";
import { refuse, respondJson } from "../respond.ts";
import type { MirrorAdmission } from "./admission.ts";
import type { Asked } from "./asked.ts";
import type { MirrorBlobs } from "./blobs.ts";
import { refuseFor, refusePush } from "./failures.ts";
import { listMirroredReferrers, listMirroredTags } from "./lists.ts";
import type { MirrorManifests } from "./manifests.ts";
import type { MirrorPlaces } from "./place.ts";
import { UpstreamError } from "./upstream.ts";

export interface MirrorParts {
  readonly places: MirrorPlaces;
  readonly admission: MirrorAdmission;
  readonly manifests: MirrorManifests;
  readonly blobs: MirrorBlobs;
  readonly askForLogin: boolean;
}

interface Question {
  readonly context: RegistryContext;
  readonly request: RegistryRequest;
  readonly match: RouteMatch;
}

type Named = Extract<RouteMatch, { readonly name: string }>;

/**
 * Answers for repositories of upstreams. `undefined` leaves a request to the registry itself: it is about one of its
 * own repositories, or deletes something kept here, or is nothing that could be asked of an upstream.
 */
export function answerMirrored(
  parts: MirrorParts,
  question: Question,
): Promise<RegistryResponse> | undefined {
  const { match, request } = question;
  if (match.route === "base" && parts.askForLogin) return Promise.resolve(takeAnyLogin(request));
  if (!("name" in match) || !isRepositoryName(match.name)) return undefined;
  const mark = request.target.indexOf("?");
  const query = new URLSearchParams(mark < 0 ? "" : request.target.slice(mark + 1));
  const ns = query.get("ns");
  const placed = parts.places.find(match, ns);
  if (placed === undefined || !isWellFormed(match)) return undefined;
  if (placed.kind === "refused") return Promise.resolve(refuse("NAME_UNKNOWN", placed.reason));
  const { place } = placed;
  if (request.method !== "GET" && request.method !== "HEAD") {
    // What is kept here can be thrown out by the name it has here.
    const removes = request.method === "DELETE" && ns === null && match.name === place.local;
    return removes ? undefined : Promise.resolve(answerFor(ns, refusePush(place.settings.registry)));
  }
  const answering = answer(parts, { ...question, match, query, place, ns: ns ?? undefined });
  return ns === null ? answering : answering.then((response) => answerFor(ns, response));
}

/** Tells who named an upstream that the answer is that upstream's, and not from whatever has this name here. */
function answerFor(ns: string | null, response: RegistryResponse): RegistryResponse {
  return ns === null ? response : { ...response, headers: [...response.headers, "OCI-Namespace", ns] };
}

/** Whose login it is, only the answer for a repository can tell. */
function takeAnyLogin(request: RegistryRequest): RegistryResponse {
  if (request.header("authorization") !== undefined) return respondJson({});
  const headers = { "WWW-Authenticate": 'Basic realm="upstream"' };
  return refuse("UNAUTHORIZED", "This mirror passes your login on to the registry you ask for", { headers });
}

/** The registry itself has the words for what isn't a digest or a tag. */
function isWellFormed(match: Named): boolean {
  switch (match.route) {
    case "manifest":
      return match.reference.includes(":") ? isDigest(match.reference) : isTag(match.reference);
    case "blob":
    case "referrers":
      return isDigest(match.digest);
    case "tags":
    case "uploads":
    case "upload":
      return true;
  }
}

async function answer(
  parts: MirrorParts,
  question: Omit<Asked, "admitted"> & { readonly match: Named; readonly query: URLSearchParams },
): Promise<RegistryResponse> {
  const { context, request, place, match, query, ns } = question;
  const admitted = await parts.admission.admit(context, request, place);
  if ("status" in admitted) return admitted;
  const asked: Asked = { context, request, place, ns, admitted };
  try {
    switch (match.route) {
      case "manifest":
        return await parts.manifests.serve(asked, match.reference);
      case "blob":
        return isDigest(match.digest)
          ? await parts.blobs.serve(asked, match.digest)
          : refuse("DIGEST_INVALID", "That is not a digest");
      case "tags":
        return await listMirroredTags(asked, query);
      case "referrers":
        return isDigest(match.digest)
          ? await listMirroredReferrers(asked, match.digest, query)
          : refuse("DIGEST_INVALID", "That is not a digest");
      case "uploads":
      case "upload":
        return refusePush(place.settings.registry);
    }
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return refuseFor(error, place.settings.credentials === "callers");
  }
}
