import { isDigest, OciError, parseManifest, type Descriptor, type Digest } from "../../oci/index.ts";
import type { CachedManifest } from "../manifest-cache.ts";
import { answerCached } from "../manifests.ts";
import type { RegistryResponse } from "../request.ts";
import { respond, type ResponseHeaders } from "../respond.ts";
import type { Asked } from "./asked.ts";
import type { MirrorEvent } from "./events.ts";
import { staleWarning } from "./failures.ts";
import { keepManifest, readKept } from "./kept-manifests.ts";
import { Remembered } from "./remembered.ts";
import { SingleFlight } from "./single-flight.ts";
import type { KnownTag, MirrorState } from "./state.ts";
import { isAbsence, isNotFound, UpstreamError, type UpstreamManifest } from "./upstream.ts";

export interface MirrorManifestsOptions {
  readonly state: MirrorState;
  readonly clock: () => number;
  readonly onEvent: (event: MirrorEvent) => void;
  /** Told of failures of what runs after its request was answered. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Manifests of upstreams. A digest stands for the same bytes forever; what a tag stands for is believed for a while:
 *
 * ```text
 * age of the tag   0 ──── ttl ───────── + staleWhileRevalidate ─────────────────────── maxStale
 *                  answer │ answer, then ask in the background │ ask first; only if nobody │ ask, or fail
 *                                                                there: answer, warned
 * ```
 */
export class MirrorManifests {
  readonly #options: MirrorManifestsOptions;
  readonly #heads = new SingleFlight<Descriptor>();
  readonly #fetches = new SingleFlight<CachedManifest>();
  readonly #unknown: Remembered<UpstreamError>;
  /** What goes on after its request was answered, in more than one step. */
  readonly #behind = new Set<Promise<void>>();

  constructor(options: MirrorManifestsOptions) {
    this.#options = options;
    this.#unknown = new Remembered(options.clock, 10_000);
  }

  /** @throws UpstreamError */
  serve(asked: Asked, reference: string): Promise<RegistryResponse> {
    return isDigest(reference) ? this.#serveDigest(asked, reference) : this.#serveTag(asked, reference);
  }

  /** Resolves when nothing runs in the background any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#behind);
    await this.#heads.settled();
    await this.#fetches.settled();
  }

  async #serveDigest(asked: Asked, digest: Digest): Promise<RegistryResponse> {
    const { context, request, place, admitted } = asked;
    const kept = await readKept(context, place.local, digest);
    if (kept !== undefined) {
      if (!admitted.proven()) await this.#head(asked, digest);
      this.#options.onEvent({ type: "hit", repository: place.local, digest });
      return answerCached(request, kept);
    }
    if (request.method === "HEAD") return describe(await this.#head(asked, digest));
    return answerCached(request, await this.#fetch(asked, digest));
  }

  async #serveTag(asked: Asked, tag: string): Promise<RegistryResponse> {
    const { state, clock } = this.#options;
    const { place, admitted, request } = asked;
    const { ttl, staleWhileRevalidate, maxStale } = place.settings;
    const known = state.findTag(place.local, tag);
    if (known === undefined) {
      if (request.method === "HEAD") return describe(await this.#check(asked, tag));
      return answerCached(request, await this.#fetch(asked, tag));
    }
    // A clock that was set back makes a tag old, rather than young for as long as it was wrong.
    const age = clock() - known.checkedAt;
    const is = (limit: number): boolean => age >= 0 && age < limit;
    if (admitted.proven() && is(ttl)) return await this.#answer(asked, known);
    if (admitted.proven() && is(ttl + staleWhileRevalidate)) {
      this.#checkBehind(asked, tag);
      return await this.#answer(asked, known);
    }
    let found: Descriptor;
    try {
      found = await this.#check(asked, tag);
    } catch (error) {
      if (!isAbsence(error) || !admitted.proven() || age > maxStale) throw error;
      return await this.#answerStale(asked, tag, { known, age, error });
    }
    return await this.#answer(asked, found);
  }

  async #answerStale(
    asked: Asked,
    tag: string,
    { known, age, error }: { readonly known: KnownTag; readonly age: number; readonly error: UpstreamError },
  ): Promise<RegistryResponse> {
    const { local, remote, settings } = asked.place;
    this.#options.onEvent({ type: "stale", repository: local, reference: tag, age });
    const name = `${settings.registry}/${remote}:${tag}`;
    const why = error.code === "TOOMANYREQUESTS" ? "it wants fewer requests" : "it cannot be reached";
    const text = `${name} may be out of date: the registry was last asked ${Math.round(age / 1_000)} s ago, and now ${why}`;
    return await this.#answer(asked, known, staleWarning(text));
  }

  /** Answers with the manifest that a tag stands for, bringing it here for a GET. */
  async #answer(asked: Asked, found: Descriptor, headers: ResponseHeaders = {}): Promise<RegistryResponse> {
    const { context, request, place } = asked;
    const { digest } = found;
    const kept = await readKept(context, place.local, digest);
    if (kept === undefined && request.method === "HEAD") return describe(found, headers);
    if (kept !== undefined) this.#options.onEvent({ type: "hit", repository: place.local, digest });
    const answer = answerCached(request, kept ?? (await this.#fetch(asked, digest)));
    return withHeaders(answer, headers);
  }

  /** Asks what a tag stands for now, and remembers it. */
  async #check(asked: Asked, tag: string): Promise<Descriptor> {
    const { state, onEvent } = this.#options;
    const { local } = asked.place;
    const before = state.findTag(local, tag);
    const found = await this.#head(asked, tag);
    state.setTag(local, tag, found);
    if (before !== undefined && before.digest !== found.digest) {
      onEvent({ type: "moved", repository: local, tag, digest: found.digest });
    }
    return found;
  }

  #checkBehind(asked: Asked, tag: string): void {
    const check = async (): Promise<void> => {
      const found = await this.#check(asked, tag);
      // Brought here now, so that the next one who asks need not wait for it.
      if ((await readKept(asked.context, asked.place.local, found.digest)) === undefined) {
        await this.#fetch(asked, found.digest);
      }
    };
    const behind = check()
      .catch((error: unknown) => {
        if (!(error instanceof UpstreamError)) this.#options.onFailure(error);
      })
      .finally(() => this.#behind.delete(behind));
    this.#behind.add(behind);
  }

  #head(asked: Asked, reference: string): Promise<Descriptor> {
    const { place, admitted } = asked;
    return this.#ask(asked, reference, this.#heads, async () => {
      return await place.upstream.headManifest(admitted.query, reference);
    });
  }

  #fetch(asked: Asked, reference: string): Promise<CachedManifest> {
    const { place, admitted } = asked;
    return this.#ask(asked, reference, this.#fetches, async () => {
      const manifest = await place.upstream.openManifest(admitted.query, reference);
      return await this.#keep(asked, reference, manifest);
    });
  }

  /** Asks once for all who ask the same as the same one; "not there" holds for a while. */
  async #ask<Result>(
    { place, admitted }: Asked,
    reference: string,
    flights: SingleFlight<Result>,
    ask: () => Promise<Result>,
  ): Promise<Result> {
    const { local, settings } = place;
    const key = `${local} ${reference} ${admitted.who}`;
    const unknown = this.#unknown.find(key);
    if (unknown !== undefined) throw unknown;
    try {
      return await admitted.asking(() => flights.run(key, ask));
    } catch (error) {
      if (isNotFound(error)) {
        this.#unknown.set(key, error, settings.negativeTtl);
        // What one caller can't see may be there for others.
        if (admitted.who === "" && !isDigest(reference)) this.#options.state.deleteTag(local, reference);
      }
      this.#options.onEvent({ type: "failed", repository: local, reference, error });
      throw error;
    }
  }

  async #keep(
    { context, place }: Asked,
    reference: string,
    manifest: UpstreamManifest,
  ): Promise<CachedManifest> {
    const { state, onEvent } = this.#options;
    const { local, settings, remote } = place;
    const { descriptor, bytes } = manifest;
    const { digest } = descriptor;
    const name = `${settings.registry}/${remote}`;
    if (bytes.length > context.maxManifestSize) {
      const limit = `${bytes.length} bytes are more than the ${context.maxManifestSize} a manifest may have here`;
      throw new UpstreamError(
        "UPSTREAM_INVALID",
        `Cannot mirror manifest "${digest}" of "${name}": ${limit}`,
      );
    }
    if (!isDigest(reference)) state.setTag(local, reference, descriptor);
    const tags = state.tagsOf(local, digest);
    const kept = await keepManifest(context, { name: local, tags, descriptor, bytes }).catch(
      (cause: unknown) => {
        if (!(cause instanceof OciError)) throw cause;
        const code = cause.code === "MANIFEST_UNSUPPORTED" ? "UNSUPPORTED" : "UPSTREAM_INVALID";
        const why = cause.message.replace(/^Cannot /, "cannot ");
        throw new UpstreamError(code, `Cannot mirror manifest "${digest}" of "${name}": ${why}`, { cause });
      },
    );
    state.learnSizes(local, blobsOf(bytes, descriptor.mediaType));
    onEvent({ type: "fetched", repository: local, digest, bytes: bytes.length, resumed: 0 });
    return kept;
  }
}

function blobsOf(bytes: Uint8Array, mediaType: string): readonly Descriptor[] {
  try {
    const document = parseManifest(bytes, { mediaType });
    return document.kind === "index" ? [] : [document.config, ...document.layers];
  } catch {
    // Of a type that nobody here reads: whoever wants its blobs says which.
    return [];
  }
}

/** The answer to a HEAD for something that isn't here. */
function describe({ digest, mediaType, size }: Descriptor, headers: ResponseHeaders = {}): RegistryResponse {
  return respond(200, {
    "Content-Type": mediaType,
    "Content-Length": size,
    "Docker-Content-Digest": digest,
    ETag: `"${digest}"`,
    ...headers,
  });
}

export function withHeaders(response: RegistryResponse, headers: ResponseHeaders): RegistryResponse {
  const more = Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
  return more.length === 0 ? response : { ...response, headers: [...response.headers, ...more] };
}
