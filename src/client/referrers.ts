import type { Descriptor, Digest, SignalOptions } from "../oci/index.ts";
import {
  DOCUMENT_READ_LIMIT,
  MEDIA_TYPES,
  OciError,
  parseManifest,
  routes,
  trimMediaType,
} from "../oci/index.ts";
import { pumpContent } from "./content-encoding.ts";
import { ClientError } from "./errors.ts";
import type { Call } from "./exchange.ts";
import { fallbackTag } from "./fallback-tag.ts";
import type { RegistryHost } from "./host.ts";
import { readManifest } from "./manifests.ts";
import { nextPage } from "./pagination.ts";
import { below, nameOf, withQuery, type Place } from "./place.ts";
import { repositoryScope } from "./scope.ts";
import { collect } from "./socket-response.ts";

export interface ReferrersOptions extends SignalOptions {
  /** Only those of this kind. */
  readonly artifactType?: string | undefined;
}

interface Page {
  readonly referrers: readonly Descriptor[];
  readonly next: URL | undefined;
}

/**
 * What refers to a manifest as its subject: signatures, SBOMs, attestations. Empty where nothing does, and for
 * manifests the registry doesn't have.
 *
 * @throws ClientError
 */
export async function* listReferrers(
  place: Place,
  subject: Digest,
  options: ReferrersOptions = {},
): AsyncGenerator<Descriptor> {
  const { artifactType } = options;
  const wanted = (referrer: Descriptor): boolean =>
    artifactType === undefined || referrer.artifactType === artifactType;
  const hosts = await place.exchange.hostsFor(place.domain, ["pull"], options.signal);
  const able = hosts.filter((host) => host.capabilities.has("referrers"));
  const query: readonly (readonly [string, string])[] =
    artifactType === undefined ? [] : [["artifactType", artifactType]];
  const first = withQuery(below(routes.referrers(place.repository, subject)), query);
  const seen = new Set<string>();
  for (let target: string | URL | undefined = first, at = able; target !== undefined && at.length > 0;) {
    const page: (Page & { readonly host: RegistryHost }) | undefined = await readPage(
      place,
      referrersCall(place, subject, { ...options, target, hosts: at }),
    );
    if (page === undefined) return yield* fromFallbackTag(place, subject, options);
    // Filtered here again: a server need not know the parameter, nor say so.
    yield* page.referrers.filter(wanted);
    if (page.next === undefined || seen.has(page.next.href)) return undefined;
    seen.add(page.next.href);
    target = page.next;
    at = [page.host];
  }
  return yield* fromFallbackTag(place, subject, options);
}

/** Whether the registry answers questions for referrers. */
export function probeReferrers(
  place: Place,
  subject: Digest,
  options: { readonly host: RegistryHost; readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  const target = below(routes.referrers(place.repository, subject));
  const call = referrersCall(place, subject, { target, hosts: [options.host], signal: options.signal });
  return readPage(place, call).then((page) => page !== undefined);
}

function referrersCall(
  place: Place,
  subject: Digest,
  options: {
    readonly target: string | URL;
    readonly hosts: readonly RegistryHost[];
    readonly signal?: AbortSignal | undefined;
  },
): Call {
  return {
    domain: place.domain,
    repository: place.repository,
    scopes: [repositoryScope(place.repository, ["pull"])],
    capabilities: ["referrers"],
    hosts: options.hosts,
    method: "GET",
    target: options.target,
    headers: { accept: MEDIA_TYPES.ociIndex },
    accept: [200, 400, 404, 405, 406],
    action: `list referrers of "${subject}" in ${nameOf(place)}`,
    signal: options.signal,
  };
}

/** `undefined`: this registry doesn't have the API. */
function readPage(place: Place, call: Call): Promise<(Page & { readonly host: RegistryHost }) | undefined> {
  return place.exchange.ask(call, async ({ response, host }) => {
    if (
      response.status !== 200 ||
      trimMediaType(response.header("content-type") ?? "") !== MEDIA_TYPES.ociIndex
    ) {
      await response.discard();
      return undefined;
    }
    const bytes = await collect((consume) => pumpContent(response, consume), DOCUMENT_READ_LIMIT);
    return { referrers: readIndex(call, bytes), next: nextPage(response), host };
  });
}

async function* fromFallbackTag(
  place: Place,
  subject: Digest,
  options: ReferrersOptions,
): AsyncGenerator<Descriptor> {
  const index = await readFallbackIndex(place, subject, options);
  for (const referrer of index ?? []) {
    if (options.artifactType === undefined || referrer.artifactType === options.artifactType) yield referrer;
  }
}

async function readFallbackIndex(
  place: Place,
  subject: Digest,
  options: SignalOptions,
): Promise<readonly Descriptor[] | undefined> {
  const tag = fallbackTag(subject);
  try {
    const { descriptor, bytes } = await readManifest(place, { tag }, options);
    if (descriptor.mediaType === MEDIA_TYPES.ociIndex)
      return readIndex({ action: `read tag "${tag}" of ${nameOf(place)}` }, bytes);
    throw new ClientError(
      "MANIFEST_INVALID",
      `Cannot list referrers of "${subject}": tag "${tag}" of ${nameOf(place)} is not an index`,
    );
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return undefined;
    throw error;
  }
}

function readIndex(call: Pick<Call, "action">, bytes: Uint8Array): readonly Descriptor[] {
  try {
    const document = parseManifest(bytes, { mediaType: MEDIA_TYPES.ociIndex });
    return document.kind === "index" ? document.manifests : [];
  } catch (cause) {
    if (!(cause instanceof OciError)) throw cause;
    throw new ClientError(
      "MANIFEST_INVALID",
      `Cannot ${call.action}: ${cause.message.replace(/^Cannot /, "cannot ")}`,
      { cause },
    );
  }
}
