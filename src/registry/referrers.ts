import { MEDIA_TYPES, routes, type Descriptor, type Digest } from "../oci/index.ts";
import type { RegistryContext } from "./context.ts";
import type { RegistryResponse } from "./request.ts";
import { linkToNext, respondText } from "./respond.ts";

/** Annotations are copied into the list, so pages are bounded by bytes, below what clients read as one document. */
const MAX_PAGE_BYTES = 3 * 1024 * 1024;
const MAX_PAGE_ENTRIES = 1_000;
const FETCH = 100;

/** The manifests that refer to a digest; an empty list where there are none, even without the repository. */
export async function listReferrers(
  context: RegistryContext,
  wanted: { readonly name: string; readonly digest: Digest; readonly query: URLSearchParams },
): Promise<RegistryResponse> {
  const { name, digest, query } = wanted;
  const artifactType = query.get("artifactType") || undefined;
  const after = query.get("last") ?? undefined;
  const { entries, more } = await collectPage(context, { name, digest, artifactType, after });
  const filter = artifactType === undefined ? {} : { artifactType };
  const last = entries.at(-1)?.descriptor.digest;
  const headers = {
    ...(artifactType !== undefined && { "OCI-Filters-Applied": "artifactType" }),
    ...(more && last !== undefined && linkToNext(routes.referrers(name, digest), { ...filter, last })),
  };
  const manifests = entries.map((entry) => entry.text).join(",");
  const text = `{"schemaVersion":2,"mediaType":"${MEDIA_TYPES.ociIndex}","manifests":[${manifests}]}`;
  return respondText(MEDIA_TYPES.ociIndex, text, headers);
}

interface Entry {
  readonly descriptor: Descriptor;
  readonly text: string;
}

async function collectPage(
  context: RegistryContext,
  wanted: {
    readonly name: string;
    readonly digest: Digest;
    readonly artifactType: string | undefined;
    readonly after: string | undefined;
  },
): Promise<{ readonly entries: readonly Entry[]; readonly more: boolean }> {
  const { name, digest, artifactType } = wanted;
  const entries: Entry[] = [];
  let bytes = 0;
  let after = wanted.after;
  for (;;) {
    const page = await context.metadata.listReferrers(name, digest, { artifactType, after, limit: FETCH });
    for (const descriptor of page) {
      const text = JSON.stringify(descriptor);
      bytes += Buffer.byteLength(text);
      // At least one entry a page, however long: otherwise a reader would never get past it.
      const full = entries.length > 0 && (bytes > MAX_PAGE_BYTES || entries.length >= MAX_PAGE_ENTRIES);
      if (full) return { entries, more: true };
      entries.push({ descriptor, text });
    }
    if (page.length < FETCH) return { entries, more: false };
    after = page.at(-1)?.digest;
  }
}
