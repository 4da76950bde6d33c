import type { ContentStream, Descriptor, OpenOptions, SignalOptions } from "../oci/index.ts";
import { embeddedContent, isManifestOrIndexType, MEDIA_TYPES, routes } from "../oci/index.ts";
import { BlobStream, type Reading } from "./blob-stream.ts";
import { ACCEPT_ENCODING, contentEncodings } from "./content-encoding.ts";
import { BytesStream } from "./content-streams.ts";
import { ClientError } from "./errors.ts";
import type { Answer, Call } from "./exchange.ts";
import type { RegistryHost } from "./host.ts";
import type { HttpResponse } from "./http.ts";
import { MANIFEST_ACCEPT, refuseHtml } from "./manifests.ts";
import { below, nameOf, type Place } from "./place.ts";
import { guardInternal } from "./redirect.ts";
import { repositoryScope } from "./scope.ts";
import type { SplitBudget } from "./split-options.ts";
import { SplitStream, type SplitStreamOptions } from "./split-stream.ts";

const KNOWN_TYPES: ReadonlySet<string> = new Set(Object.values(MEDIA_TYPES));

/**
 * Opens a blob or document by its descriptor. Reading goes on over broken connections; whoever reads, verifies.
 *
 * @throws ClientError `BLOB_UNKNOWN`, `MANIFEST_UNKNOWN`, `SIZE_INVALID`…
 */
export async function openContent(
  place: Place,
  descriptor: Descriptor,
  options: OpenOptions = {},
): Promise<ContentStream> {
  const { offset = 0, signal } = options;
  if (offset < 0 || offset > descriptor.size) {
    throw new ClientError(
      "SIZE_INVALID",
      `Cannot read blob "${descriptor.digest}" from byte ${offset}: it has ${descriptor.size} bytes`,
    );
  }
  if (offset === descriptor.size) return new BytesStream(new Uint8Array(0));
  const embedded = embeddedContent(descriptor);
  if (embedded !== undefined) return new BytesStream(embedded.subarray(offset));
  const first = await openFrom(place, descriptor, { offset, signal });
  const { split, domain, clock, onEvent } = place;
  if (split === undefined || !mayBeSplit(descriptor, offset, split) || split.unable.has(domain)) return first;
  const open: SplitStreamOptions["open"] = (from, end, stop) =>
    openFrom(place, descriptor, { offset: from, end, signal: stop });
  return new SplitStream(first, { descriptor, offset, signal, budget: split, domain, clock, onEvent, open });
}

async function openFrom(
  place: Place,
  descriptor: Descriptor,
  { offset, end, signal }: { readonly offset: number; readonly end?: number | undefined } & SignalOptions,
): Promise<ContentStream> {
  const reader = new BlobReader(place, descriptor, signal);
  return new BlobStream(await reader.read(offset, end), {
    descriptor,
    offset,
    end,
    signal,
    reopen: (at) => reader.read(at, end),
    policy: place.policy,
    sleep: place.sleep,
    onEvent: place.onEvent,
  });
}

/** Documents are small, and other addresses than the registry's aren't asked more than they have to be. */
function mayBeSplit(
  { mediaType, size, urls }: Descriptor,
  offset: number,
  { settings }: SplitBudget,
): boolean {
  const elsewhere = urls !== undefined && urls.length > 0;
  return size - offset >= settings.threshold && !elsewhere && !isManifestOrIndexType(mediaType);
}

/** Asks where a blob may be, in order: the descriptor's own addresses, blobs, manifests. */
class BlobReader {
  readonly #place: Place;
  readonly #descriptor: Descriptor;
  readonly #signal: AbortSignal | undefined;

  constructor(place: Place, descriptor: Descriptor, signal: AbortSignal | undefined) {
    this.#place = place;
    this.#descriptor = descriptor;
    this.#signal = signal;
  }

  /** @param end asks for a part alone, of a registry that sends just that */
  async read(offset: number, end?: number): Promise<Reading> {
    if (end !== undefined) {
      const call = this.#call("blobs", offset, end);
      return await this.#place.exchange.ask(call, async ({ response }) =>
        this.#checkPart(call, response, { offset, end }),
      );
    }
    const elsewhere = await this.#readElsewhere(offset);
    if (elsewhere !== undefined) return elsewhere;
    const { mediaType } = this.#descriptor;
    if (isManifestOrIndexType(mediaType)) return this.#ask(this.#call("manifests", offset), offset);
    try {
      return await this.#ask(this.#call("blobs", offset), offset);
    } catch (error) {
      const unknown = error instanceof ClientError && error.status === 404 && !KNOWN_TYPES.has(mediaType);
      if (!unknown) throw error;
      return await this.#ask(this.#call("manifests", offset), offset).catch(() => Promise.reject(error));
    }
  }

  async #readElsewhere(offset: number): Promise<Reading | undefined> {
    for (const text of this.#descriptor.urls ?? []) {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) continue;
      try {
        guardInternal(url, { origin: new URL(`https://${this.#place.domain}`), peer: undefined });
        const call = this.#call("blobs", offset);
        return await this.#ask(
          { ...call, target: url, hosts: [anyHost(url)], anonymous: true, scopes: [] },
          offset,
        );
      } catch (error) {
        this.#signal?.throwIfAborted();
        if (!(error instanceof ClientError)) throw error;
        this.#place.onEvent({ type: "next-host", host: url.host, reason: error.message });
      }
    }
    return undefined;
  }

  #ask(call: Call, offset: number): Promise<Reading> {
    return this.#place.exchange.ask(call, (answer) => this.#begin(call, answer, offset));
  }

  #call(kind: "blobs" | "manifests", offset: number, end?: number): Call {
    const { domain, repository } = this.#place;
    const { digest, mediaType } = this.#descriptor;
    const route = kind === "blobs" ? routes.blob(repository, digest) : routes.manifest(repository, digest);
    const accept = kind === "blobs" ? `${mediaType}, */*` : MANIFEST_ACCEPT;
    return {
      domain,
      repository,
      scopes: [repositoryScope(repository, ["pull"])],
      capabilities: ["pull"],
      method: "GET",
      target: below(route),
      headers: {
        accept,
        "accept-encoding": end === undefined ? acceptEncoding(mediaType, offset) : "identity",
        ...((offset > 0 || end !== undefined) && {
          range: `bytes=${offset}-${end === undefined ? "" : end - 1}`,
        }),
      },
      accept: [200, 206, 416],
      action: `read ${kind === "blobs" ? "blob" : "manifest"} "${digest}" of ${nameOf(this.#place)}`,
      missing: kind === "blobs" ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN",
      signal: this.#signal,
    };
  }

  /** Decides what the body of this answer begins with, before a byte of it is believed. */
  async #begin(call: Call, { response }: Answer, offset: number): Promise<Reading> {
    if (response.status !== 416 || offset === 0) return this.#check(call, response, offset);
    // A server that won't continue is asked for everything; what we have already is dropped on arrival.
    await response.discard();
    const { range: _, ...headers } = call.headers ?? {};
    return this.#place.exchange.ask({ ...call, headers, accept: [200] }, ({ response: whole }) =>
      this.#check(call, whole, offset),
    );
  }

  /** Nothing is believed but the very part, or the beginning of it, of a blob of the very size. */
  #checkPart(
    call: Call,
    response: HttpResponse,
    { offset, end }: { readonly offset: number; readonly end: number },
  ): Reading {
    const range = response.header("content-range") ?? "";
    const match = /^bytes ([0-9]{1,15})-([0-9]{1,15})\/([0-9]{1,15})$/.exec(range);
    const [start, last, size] = (match ?? []).slice(1).map(Number);
    const right = start === offset && last !== undefined && last >= start && last < end;
    if (response.status !== 206 || !right || size !== this.#descriptor.size || isEncoded(response)) {
      const answer =
        response.status === 206 ? JSON.stringify(range.slice(0, 80)) : `status ${response.status}`;
      throw lie(call, `asked for bytes ${offset}-${end - 1}, it answered ${answer}`);
    }
    return { response, skip: 0 };
  }

  async #check(call: Call, response: HttpResponse, offset: number): Promise<Reading> {
    refuseHtml(call, response);
    const { size } = this.#descriptor;
    if (response.status === 416) throw lie(call, "it refuses the range of the whole blob");
    const range = response.header("content-range");
    const encoded = isEncoded(response);
    const start =
      range === undefined
        ? response.status === 206
          ? offset
          : 0
        : rangeStart(call, range, { offset, size });
    const length = Number(response.header("content-length") ?? Number.NaN);
    if (!encoded && !Number.isNaN(length) && length !== size - start) {
      throw new ClientError(
        "SIZE_INVALID",
        `Cannot ${call.action}: the registry announced ${start + length} bytes, not ${size}`,
      );
    }
    if (encoded && start > 0) throw lie(call, "it sent a part of an encoded form");
    return { response, skip: offset - start };
  }
}

/** @throws ClientError when the part isn't the one asked for */
function rangeStart(
  call: Call,
  range: string,
  wanted: { readonly offset: number; readonly size: number },
): number {
  const match = /^bytes ([0-9]{1,15})-([0-9]{1,15})\/([0-9]{1,15}|\*)$/.exec(range);
  if (match === null || Number(match[1]) !== wanted.offset) {
    throw lie(call, `asked for bytes ${wanted.offset}-, it sent ${JSON.stringify(range.slice(0, 80))}`);
  }
  if (match[3] !== "*" && Number(match[3]) !== wanted.size) {
    throw new ClientError(
      "SIZE_INVALID",
      `Cannot ${call.action}: the registry announced ${match[3]} bytes, not ${wanted.size}`,
    );
  }
  return wanted.offset;
}

function isEncoded(response: HttpResponse): boolean {
  return contentEncodings(response).length > 0;
}

function lie(call: Call, why: string): ClientError {
  return new ClientError("RESPONSE_INVALID", `Cannot ${call.action}: ${why}`);
}

/** What is compressed already gains nothing, and a second coding would cost us the length and resuming. */
function acceptEncoding(mediaType: string, offset: number): string {
  return offset > 0 || /[.+](?:gzip|zstd)$/.test(mediaType) ? "identity" : ACCEPT_ENCODING;
}

/** A place that has nothing to do with the registry: no credentials, no settings. */
function anyHost(url: URL): RegistryHost {
  return {
    scheme: url.protocol === "https:" ? "https" : "http",
    host: url.host,
    path: "",
    capabilities: new Set(["pull"]),
    tls: {},
    headers: {},
    httpFallback: false,
    upstream: false,
  };
}

/**
 * Whether this content is there: at one of the hosts, in their order, or at the given ones. A mirror that doesn't have
 * it says nothing of the registry behind it, so the answer is no only when nobody has it.
 *
 * @throws ClientError for every other answer than yes and no
 */
export async function hasContent(
  place: Place,
  descriptor: Descriptor,
  options: SignalOptions & { readonly hosts?: readonly RegistryHost[] | undefined } = {},
): Promise<boolean> {
  const { repository, domain } = place;
  const { digest, mediaType } = descriptor;
  const isManifest = isManifestOrIndexType(mediaType);
  const call: Call = {
    domain,
    repository,
    scopes: [repositoryScope(repository, options.hosts === undefined ? ["pull"] : ["pull", "push"])],
    capabilities: ["pull"],
    hosts: options.hosts,
    method: "HEAD",
    target: below(isManifest ? routes.manifest(repository, digest) : routes.blob(repository, digest)),
    headers: { accept: isManifest ? MANIFEST_ACCEPT : `${mediaType}, */*` },
    accept: [200],
    missing: isManifest ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN",
    action: `look for ${isManifest ? "manifest" : "blob"} "${digest}" in ${nameOf(place)}`,
    signal: options.signal,
  };
  try {
    await place.exchange.ask(call, ({ response }) => response.discard());
    return true;
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return false;
    throw error;
  }
}
