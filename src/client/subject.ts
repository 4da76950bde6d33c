/**
 * The other end of `subject`: registries with the referrers API note it themselves and say so (`OCI-Subject`); for
 * all others the client keeps an index of referrers under the fallback tag, so that readers find them there.
 */
import type { Descriptor, Digest, ManifestOrIndex } from "../oci/index.ts";
import {
  artifactTypeOf,
  digestOf,
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
import { below, nameOf, type Place } from "./place.ts";
import { probeReferrers } from "./referrers.ts";
import { repositoryScope } from "./scope.ts";
import { collect } from "./socket-response.ts";

/** A change to the index of one subject. */
type Change = { readonly add: Descriptor } | { readonly remove: Digest };

export interface LinkContext {
  readonly host: RegistryHost;
  readonly signal: AbortSignal | undefined;
}

/** How often an index that others write to at the same time is read again before giving up. */
const CONFLICT_LIMIT = 5;

/** What one client knows and does about the referrers of one repository. */
export class SubjectLinks {
  /** Whether the registry keeps referrers itself, once that is known. */
  supported: boolean | undefined;
  readonly #pending = new Map<Digest, { readonly changes: Change[]; work: Promise<void> }>();

  /**
   * Changes to one subject's index go one after the other; those that come while one is under way are written
   * together by the next.
   */
  async change(place: Place, subject: Digest, change: Change, context: LinkContext): Promise<void> {
    const waiting = this.#pending.get(subject);
    if (waiting !== undefined) {
      waiting.changes.push(change);
      return waiting.work;
    }
    const entry = { changes: [change], work: Promise.resolve() };
    this.#pending.set(subject, entry);
    entry.work = this.#work(place, subject, entry.changes, context);
    return entry.work;
  }

  async #work(place: Place, subject: Digest, changes: Change[], context: LinkContext): Promise<void> {
    try {
      while (changes.length > 0) await updateIndex(place, subject, changes.splice(0), context);
    } finally {
      this.#pending.delete(subject);
    }
  }
}

/** Makes a manifest that was just pushed known to readers of its subject, where the registry didn't. */
export async function linkSubject(
  push: {
    readonly place: Place;
    readonly links: SubjectLinks;
    readonly descriptor: Descriptor;
    readonly bytes: Uint8Array;
  },
  context: LinkContext & { readonly linked: string | undefined },
): Promise<void> {
  const { place, links, descriptor, bytes } = push;
  const document = readDocument(bytes, descriptor.mediaType);
  const subject = document?.subject;
  if (document === undefined || subject === undefined) return;
  if (context.linked === subject.digest) links.supported = true;
  if (await keepsReferrers(place, links, subject.digest, context)) return;
  await links.change(place, subject.digest, { add: referrerOf(document, descriptor) }, context);
}

/** Takes a manifest that is being deleted out of its subject's index. */
export async function unlinkSubject(
  push: {
    readonly place: Place;
    readonly links: SubjectLinks;
    readonly descriptor: Descriptor;
    readonly bytes: Uint8Array;
  },
  context: LinkContext,
): Promise<void> {
  const { place, links, descriptor, bytes } = push;
  const subject = readDocument(bytes, descriptor.mediaType)?.subject;
  if (subject === undefined || (await keepsReferrers(place, links, subject.digest, context))) return;
  await links.change(place, subject.digest, { remove: descriptor.digest }, context);
}

async function keepsReferrers(
  place: Place,
  links: SubjectLinks,
  subject: Digest,
  context: LinkContext,
): Promise<boolean> {
  links.supported ??= await probeReferrers(place, subject, context);
  return links.supported === true;
}

function readDocument(bytes: Uint8Array, mediaType: string): ManifestOrIndex | undefined {
  try {
    return parseManifest(bytes, { mediaType });
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

function referrerOf(document: ManifestOrIndex, descriptor: Descriptor): Descriptor {
  const artifactType = artifactTypeOf(document);
  return {
    mediaType: document.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    ...(artifactType !== undefined && { artifactType }),
    ...(document.annotations !== undefined && { annotations: document.annotations }),
  };
}

/** The index as it stands in the registry; its entries are kept as they came, members we don't know included. */
interface StoredIndex {
  readonly digest: Digest | undefined;
  readonly etag: string | undefined;
  readonly document: Record<string, unknown>;
  readonly entries: readonly unknown[];
}

async function updateIndex(
  place: Place,
  subject: Digest,
  changes: readonly Change[],
  context: LinkContext,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const stored = await readIndex(place, subject, context);
    const entries = applyChanges(stored.entries, changes);
    if (entries === undefined) return;
    if (entries.length === 0 && stored.digest !== undefined) {
      await deleteIndex(place, stored.digest, context);
      return;
    }
    if (await writeIndex(place, subject, { ...stored, entries }, context)) {
      if (stored.digest !== undefined) await deleteIndex(place, stored.digest, context).catch(() => {});
      return;
    }
    if (attempt >= CONFLICT_LIMIT) {
      throw new ClientError(
        "STATUS_UNEXPECTED",
        `Cannot add a referrer of "${subject}" to ${nameOf(place)}: others keep changing its index`,
      );
    }
  }
}

/** `undefined`: nothing to change. */
function applyChanges(
  entries: readonly unknown[],
  changes: readonly Change[],
): readonly unknown[] | undefined {
  let result = entries;
  for (const change of changes) {
    const digest = "add" in change ? change.add.digest : change.remove;
    const present = result.some((entry) => digestIn(entry) === digest);
    if ("add" in change && !present) result = [...result, change.add];
    if ("remove" in change && present) result = result.filter((entry) => digestIn(entry) !== digest);
  }
  return result === entries ? undefined : result;
}

function digestIn(entry: unknown): unknown {
  return typeof entry === "object" && entry !== null && "digest" in entry ? entry.digest : undefined;
}

function readIndex(place: Place, subject: Digest, context: LinkContext): Promise<StoredIndex> {
  const call: Call = {
    ...indexCall(place, subject, context),
    method: "GET",
    headers: { accept: MEDIA_TYPES.ociIndex },
    accept: [200, 404],
  };
  return place.exchange.ask(call, async ({ response }) => {
    if (response.status === 404) {
      await response.discard();
      return {
        digest: undefined,
        etag: undefined,
        entries: [],
        document: { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex },
      };
    }
    const bytes = await collect((consume) => pumpContent(response, consume), DOCUMENT_READ_LIMIT);
    const isIndex = trimMediaType(response.header("content-type") ?? "") === MEDIA_TYPES.ociIndex;
    if (!isIndex || readDocument(bytes, MEDIA_TYPES.ociIndex) === undefined) {
      throw new ClientError(
        "MANIFEST_INVALID",
        `Cannot ${call.action}: tag "${fallbackTag(subject)}" is not an index`,
      );
    }
    const document = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const entries = document["manifests"] as readonly unknown[];
    return { digest: digestOf(bytes), etag: response.header("etag"), document, entries };
  });
}

/** False: somebody else changed it meanwhile. */
function writeIndex(
  place: Place,
  subject: Digest,
  index: StoredIndex,
  context: LinkContext,
): Promise<boolean> {
  const body = Buffer.from(JSON.stringify({ ...index.document, manifests: index.entries }));
  const call: Call = {
    ...indexCall(place, subject, context),
    method: "PUT",
    headers: {
      "content-type": MEDIA_TYPES.ociIndex,
      ...(index.etag !== undefined && { "if-match": index.etag }),
    },
    body,
    accept: [201, 200, 202, 412],
  };
  return place.exchange.ask(call, async ({ response }) => {
    await response.discard();
    return response.status !== 412;
  });
}

function deleteIndex(place: Place, digest: Digest, context: LinkContext): Promise<void> {
  const call: Call = {
    ...indexCall(place, digest, context),
    scopes: [repositoryScope(place.repository, ["delete", "pull", "push"])],
    method: "DELETE",
    target: below(routes.manifest(place.repository, digest)),
    // What can't be deleted stays behind, untagged, until the registry collects it.
    accept: [202, 200, 204, 404, 405],
  };
  return place.exchange.ask(call, ({ response }) => response.discard());
}

function indexCall(place: Place, subject: Digest, { host, signal }: LinkContext): Omit<Call, "method"> {
  return {
    domain: place.domain,
    repository: place.repository,
    scopes: [repositoryScope(place.repository, ["pull", "push"])],
    capabilities: ["push"],
    hosts: [host],
    target: below(routes.manifest(place.repository, fallbackTag(subject))),
    action: `update the referrers of "${subject}" in ${nameOf(place)}`,
    missing: "MANIFEST_UNKNOWN",
    signal,
  };
}
