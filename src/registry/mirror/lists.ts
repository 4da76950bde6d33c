import { MEDIA_TYPES, routes, type Descriptor, type Digest } from "../../oci/index.ts";
import { listTags } from "../lists.ts";
import { listReferrers } from "../referrers.ts";
import type { RegistryResponse } from "../request.ts";
import { linkToNext, refuse, respondJson, respondText } from "../respond.ts";
import { staleWarning } from "./failures.ts";
import type { Asked } from "./asked.ts";
import { withHeaders } from "./manifests.ts";
import { isAbsence } from "./upstream.ts";

const MAX_PAGE = 10_000;
/** Below what clients read as one document. */
const MAX_INDEX_BYTES = 3 * 1024 * 1024;

/** The upstream's tags; while it can't be asked, those that are known here. @throws UpstreamError */
export async function listMirroredTags(asked: Asked, query: URLSearchParams): Promise<RegistryResponse> {
  const { context, place, admitted } = asked;
  const count = query.get("n");
  if (count !== null && !/^\d+$/.test(count)) {
    return refuse("PAGINATION_NUMBER_INVALID", "n must be a whole number that is not negative");
  }
  const limit = count === null ? MAX_PAGE : Math.min(Number(count), MAX_PAGE);
  const after = query.get("last") ?? undefined;
  const name = nameOf(asked);
  try {
    const page = { after, limit: limit === 0 ? 0 : limit + 1 };
    const tags = await admitted.asking(() => place.upstream.listTags(admitted.query, page));
    const shown = tags.slice(0, limit);
    const last = shown.at(-1);
    const more = tags.length > limit && last !== undefined;
    const headers = more ? linkToNext(routes.tags(name), linkQuery(asked, { last, n: String(limit) })) : {};
    return respondJson({ name, tags: shown }, headers);
  } catch (error) {
    if (!isAbsence(error) || !admitted.proven()) throw error;
    const known = await listTags(context, place.local, query);
    if (known.status !== 200) throw error;
    return withHeaders(known, staleWarning(`These are the tags known here: ${error.message}`));
  }
}

/** What refers to a manifest at the upstream; while it can't be asked, what is known here. @throws UpstreamError */
export async function listMirroredReferrers(
  asked: Asked,
  digest: Digest,
  query: URLSearchParams,
): Promise<RegistryResponse> {
  const { context, place, admitted } = asked;
  const artifactType = query.get("artifactType") || undefined;
  try {
    const all = await admitted.asking(() => {
      return place.upstream.listReferrers(admitted.query, digest, artifactType);
    });
    const { shown, last } = cut(all, query.get("last"));
    const filter = artifactType === undefined ? {} : { artifactType };
    const next = linkQuery(asked, { ...filter, last: last ?? "" });
    const text = `{"schemaVersion":2,"mediaType":"${MEDIA_TYPES.ociIndex}","manifests":[${shown.join(",")}]}`;
    return respondText(MEDIA_TYPES.ociIndex, text, {
      ...(artifactType !== undefined && { "OCI-Filters-Applied": "artifactType" }),
      ...(last !== undefined && linkToNext(routes.referrers(nameOf(asked), digest), next)),
    });
  } catch (error) {
    if (!isAbsence(error) || !admitted.proven()) throw error;
    const known = await listReferrers(context, { name: place.local, digest, query });
    return withHeaders(known, staleWarning(`These are the referrers known here: ${error.message}`));
  }
}

/** One page, and where the next one goes on; without that it is the last one. */
function cut(
  all: readonly Descriptor[],
  after: string | null,
): { readonly shown: readonly string[]; readonly last: string | undefined } {
  const start = after === null ? 0 : all.findIndex(({ digest }) => digest === after) + 1;
  const shown: string[] = [];
  let bytes = 0;
  for (const descriptor of all.slice(start)) {
    const text = JSON.stringify(descriptor);
    bytes += Buffer.byteLength(text);
    // At least one a page, however long: otherwise a reader would never get past it.
    if (shown.length > 0 && bytes > MAX_INDEX_BYTES) {
      return { shown, last: all[start + shown.length - 1]?.digest };
    }
    shown.push(text);
  }
  return { shown, last: undefined };
}

/** The name that the caller used: with `ns` that is the upstream's own. */
function nameOf({ place, ns }: Asked): string {
  return ns === undefined ? place.local : place.remote;
}

function linkQuery({ ns }: Asked, query: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return ns === undefined ? query : { ...query, ns };
}
