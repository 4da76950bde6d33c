import { randomUUID } from "node:crypto";

import { findDigestFault, isDigest, isRepositoryName, isTag, matchRoute, OciError } from "../oci/index.ts";
import { ERROR_STATUS, isDistributionErrorCode, type RouteMatch } from "../oci/index.ts";
import { DatabaseError } from "../internal/sqlite.ts";
import { StoreError, type BlobStore } from "../store/index.ts";
import { accessBy, allowAll, pullFrom, type AccessControl, type Authorize } from "./access.ts";
import { deleteBlob, serveBlob } from "./blobs.ts";
import { Collector, type CollectOptions, type CollectResult } from "./collect/collector.ts";
import type { RegistryContext, TagPush } from "./context.ts";
import { answerWithFetch } from "./fetch.ts";
import { listCatalog, listTags } from "./lists.ts";
import { ManifestCache } from "./manifest-cache.ts";
import { answerCached, deleteManifest, putManifest, serveManifest, tagInvalid } from "./manifests.ts";
import type { RegistryMetadata } from "./metadata.ts";
import type { Mirror } from "./mirror/open.ts";
import type { Observer } from "./operations/exchange.ts";
import { Watch } from "./operations/watch.ts";
import { AccessUnanswered, OpenQuestions } from "./open-questions.ts";
import { listReferrers } from "./referrers.ts";
import { RequestAborted, type RegistryRequest, type RegistryResponse } from "./request.ts";
import { accessFor, decodePath, methodsOf, wishFor } from "./route-rules.ts";
import { deny, refuse, respondJson, withoutBody } from "./respond.ts";
import { openRules, type RegistryRules } from "./rules.ts";
import { UploadSessions } from "./upload-sessions.ts";
import { appendToUpload, cancelUpload, describeUpload, finishUpload, startUpload } from "./uploads.ts";

export interface RegistryOptions extends RegistryRules {
  /** Where bytes are kept. Whoever opened it closes it, after the registry. */
  readonly blobs: BlobStore;
  /** Where everything else is kept; closed by whoever opened it, too. */
  readonly metadata: RegistryMetadata;
  /**
   * Who may do what; everybody everything by default. {@link openAccess} makes one from a configuration. Closed by
   * whoever opened it.
   */
  readonly access?: AccessControl | undefined;
  /** The same as one plain function, where `access` isn't given. */
  readonly authorize?: Authorize | undefined;
  /** Serves repositories of other registries, fetched when they are asked for. Closed with the registry. */
  readonly mirror?: Mirror | undefined;
  /** Told of every scheduled collection. */
  readonly onCollect?: ((result: CollectResult) => void) | undefined;
  /** Told of every one that failed, besides `onFailure`. */
  readonly onCollectFailed?: ((error: unknown) => void) | undefined;
  /** Bytes of memory for manifests that are asked for often; 64 MiB by default, 0 for none. */
  readonly cacheSize?: number | undefined;
  /** How often to look for uploads of that age, in milliseconds; once an hour by default, 0 for never. */
  readonly purgeInterval?: number | undefined;
  /** How long a request waits for another one on the same upload, in milliseconds; 10 s by default. */
  readonly uploadPatience?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined;
  /** Unguessable names for uploads. */
  readonly newUploadId?: (() => string) | undefined;
  /** Told of every tag that is pushed, once others can pull it. */
  readonly onTag?: ((push: TagPush) => void) | undefined;
  /** Told of every request and what became of it. */
  readonly observers?: readonly Observer[] | undefined;
  /** Told of failures that are neither the client's fault nor part of the protocol. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** The distribution protocol over a store, without a socket. */
export interface Registry extends AsyncDisposable {
  /**
   * Answers one request, at once where it can. Never throws. A body of the answer that is a stream has to be
   * closed by whoever sends it.
   */
  handle(request: RegistryRequest): RegistryResponse | Promise<RegistryResponse>;
  /** The same for the platform's own types: for tests, and for servers that speak them. */
  fetch(request: Request): Promise<Response>;
  /** Gives up uploads that nobody continued for `uploadAge`, and says how many. */
  purgeUploads(options?: { readonly signal?: AbortSignal | undefined }): Promise<number>;
  /**
   * Lets these rules hold from the next request on, in place of all that held before.
   *
   * @throws RegistryError `CONFIG_INVALID`; then those before go on
   */
  setRules(rules: RegistryRules): void;
  /** Lets go what no rule keeps and nothing names, while requests go on; one run at a time. */
  collect(options?: CollectOptions): Promise<CollectResult>;
  /**
   * Ends what runs beside requests, turns away those whose access nobody decided yet, and waits for those that were
   * let in. New ones must not come any more.
   */
  close(): Promise<void>;
}

const WEEK = 7 * 24 * 60 * 60 * 1_000;
/** Seconds. */
const RETRY_WHEN_FULL = 60;
const RETRY_WHEN_CLOSED = 5;
const HOUR = 60 * 60 * 1_000;

export function openRegistry(options: RegistryOptions): Registry {
  return new DistributionRegistry(options);
}

class DistributionRegistry implements Registry {
  readonly #context: RegistryContext;
  readonly #onFailure: (error: unknown) => void;
  #uploadAge: number;
  readonly #collector: Collector;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #stop = new AbortController();
  readonly #watch: Watch | undefined;
  readonly #mirror: Mirror | undefined;
  readonly #underWay = new Set<Promise<RegistryResponse>>();
  readonly #questions = new OpenQuestions();
  #purging: Promise<void> = Promise.resolve();

  constructor(options: RegistryOptions) {
    const { blobs, metadata } = options;
    const clock = options.clock ?? Date.now;
    this.#onFailure = options.onFailure ?? ((): void => {});
    this.#uploadAge = options.uploadAge ?? WEEK;
    const { observers = [] } = options;
    if (observers.length > 0) {
      this.#watch = new Watch({ observers, metadata, clock, onFailure: this.#onFailure });
    }
    this.#mirror = options.mirror;
    const given = options.access ?? accessBy(options.authorize ?? allowAll);
    const guarded = this.#mirror?.guard(given) ?? given;
    const asked = this.#questions.access(guarded);
    this.#context = {
      blobs,
      metadata,
      clock,
      sessions: new UploadSessions({
        blobs,
        metadata,
        clock,
        patience: options.uploadPatience ?? 10_000,
      }),
      cache: new ManifestCache(options.cacheSize ?? 64 * 1024 * 1024),
      // What everybody may do is no question, and needs no noting down.
      access: guarded.authorize === allowAll ? guarded : (this.#watch?.access(asked) ?? asked),
      newUploadId: options.newUploadId ?? randomUUID,
      onTag: options.onTag,
      ...openRules(options),
    };
    const { onCollect: onRun, onCollectFailed: onRunFailed, collection: settings = {} } = options;
    this.#collector = new Collector({
      blobs,
      metadata,
      limits: (repository) => this.#context.limits(repository),
      clock,
      settings,
      onRun,
      onRunFailed,
      onFailure: this.#onFailure,
    });
    const interval = options.purgeInterval ?? HOUR;
    if (interval > 0) {
      const purge = (): void => {
        this.#purging = this.#purgeQuietly();
      };
      this.#timer = setInterval(purge, interval).unref();
    }
  }

  handle(request: RegistryRequest): RegistryResponse | Promise<RegistryResponse> {
    return this.#watch === undefined
      ? this.#handle(request)
      : this.#watch.handle(request, (watched) => this.#handle(watched));
  }

  #handle(request: RegistryRequest): RegistryResponse | Promise<RegistryResponse> {
    const response = this.#answerAtOnce(request);
    if (response !== undefined) return response;
    const answering = this.#answer(request);
    this.#underWay.add(answering);
    void answering.finally(() => this.#underWay.delete(answering));
    return answering;
  }

  fetch(request: Request): Promise<Response> {
    return answerWithFetch(this, request);
  }

  async purgeUploads(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<number> {
    const signals = [this.#stop.signal, ...(options.signal === undefined ? [] : [options.signal])];
    return await this.#context.sessions.purge(this.#uploadAge, AbortSignal.any(signals));
  }

  setRules(rules: RegistryRules): void {
    const opened = openRules(rules);
    this.#collector.configure(rules.collection ?? {});
    this.#uploadAge = rules.uploadAge ?? WEEK;
    Object.assign(this.#context, opened);
  }

  async collect(options?: CollectOptions): Promise<CollectResult> {
    return await this.#collector.run(options);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    this.#questions.giveUp();
    await this.#collector.close();
    await this.#purging;
    await this.#mirror?.stop();
    await Promise.all(this.#underWay);
    await this.#mirror?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #purgeQuietly(): Promise<void> {
    try {
      await this.purgeUploads();
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#onFailure(error);
    }
  }

  /** The path most requests take: a manifest that was read before, if nothing changed and nobody has to wait. */
  #answerAtOnce(request: RegistryRequest): RegistryResponse | undefined {
    if (request.method !== "GET" && request.method !== "HEAD") return undefined;
    const { cache, metadata, access } = this.#context;
    if (!cache.has(request.target)) return undefined;
    try {
      const manifest = cache.find(request.target, metadata.generation());
      if (manifest === undefined) return undefined;
      // Who asks for it counts on it, which has to be written down.
      if (manifest.loose === true) return undefined;
      if (access.authorize !== allowAll) {
        const decision = access.authorize(request, [pullFrom(manifest.repository)]);
        if (decision instanceof Promise) {
          // The long way asks again, and meets a failure of this if there is one.
          decision.catch(() => {});
          return undefined;
        }
        if (!decision.allowed) return undefined;
      }
      return answerCached(request, manifest);
    } catch {
      // The long way meets the same failure, and reports it.
      return undefined;
    }
  }

  async #answer(request: RegistryRequest): Promise<RegistryResponse> {
    try {
      const response = await this.#route(request);
      return request.method === "HEAD" ? await withoutBody(response) : response;
    } catch (error) {
      return this.#fail(error);
    }
  }

  async #route(request: RegistryRequest): Promise<RegistryResponse> {
    const mark = request.target.indexOf("?");
    const path = decodePath(mark < 0 ? request.target : request.target.slice(0, mark));
    const match = matchRoute(path);
    if (match === undefined) {
      const served = await this.#context.access.serve?.(request);
      return served ?? refuse("UNSUPPORTED", "There is nothing at this path", { status: 404 });
    }
    if ("name" in match && !isRepositoryName(match.name)) {
      return refuse("NAME_INVALID", "That is not a repository name: it takes lower-case words and slashes", {
        detail: { name: match.name.slice(0, 300) },
      });
    }
    const methods = methodsOf(match, this.#context);
    if (!methods.includes(request.method)) {
      return refuse("UNSUPPORTED", `${request.method.slice(0, 20)} is not available here`, {
        headers: { Allow: methods.join(", ") },
      });
    }
    const mirrored = this.#mirror?.answer(this.#context, request, match);
    if (mirrored !== undefined) return await mirrored;
    const wanted = accessFor(match, request.method);
    const decision = await this.#context.access.authorize(request, wanted);
    const query = new URLSearchParams(mark < 0 ? "" : request.target.slice(mark + 1));
    if (!decision.allowed) return deny(decision, wanted, wishFor(match, query, wanted));
    return await this.#dispatch(request, match, query);
  }

  #dispatch(
    request: RegistryRequest,
    match: RouteMatch,
    query: URLSearchParams,
  ): RegistryResponse | Promise<RegistryResponse> {
    const context = this.#context;
    const { method } = request;
    switch (match.route) {
      case "base":
        return respondJson({});
      case "catalog":
        return listCatalog(context, request, query);
      case "tags":
        return listTags(context, match.name, query);
      case "referrers":
        return isDigest(match.digest)
          ? listReferrers(context, { name: match.name, digest: match.digest, query })
          : digestInvalid(match.digest);
      case "blob": {
        const { name, digest } = match;
        if (!isDigest(digest)) return digestInvalid(digest);
        return method === "DELETE"
          ? deleteBlob(context, name, digest)
          : serveBlob(context, request, { name, digest });
      }
      case "manifest": {
        const { name, reference } = match;
        if (reference.includes(":") ? !isDigest(reference) : !isTag(reference)) {
          return reference.includes(":") ? digestInvalid(reference) : tagInvalid(reference);
        }
        if (method === "PUT") return putManifest(context, request, { name, reference, query });
        return method === "DELETE"
          ? deleteManifest(context, name, reference)
          : serveManifest(context, request, { name, reference });
      }
      case "uploads":
        return startUpload(context, request, { name: match.name, query });
      case "upload": {
        const { name, id } = match;
        if (method === "PATCH") return appendToUpload(context, request, { name, id });
        if (method === "PUT") return finishUpload(context, request, { name, id, query });
        return method === "DELETE" ? cancelUpload(context, name, id) : describeUpload(context, name, id);
      }
    }
  }

  /** Codes of ours to the protocol's; what is nobody's fault but ours is told to `onFailure` and kept from clients. */
  #fail(error: unknown): RegistryResponse {
    if (error instanceof RequestAborted) {
      return refuse("SIZE_INVALID", "The body ended before its announced end");
    }
    if (error instanceof AccessUnanswered) {
      const headers = { "Retry-After": RETRY_WHEN_CLOSED };
      return refuse("UNAVAILABLE", "The registry is about to end; nothing was done yet", { headers });
    }
    if (error instanceof OciError) {
      const code = isDistributionErrorCode(error.code) ? error.code : "MANIFEST_INVALID";
      if (ERROR_STATUS[code] === 400) return refuse(code, error.message);
    }
    this.#onFailure(error);
    if (isFull(error)) {
      // Clients come again, and what they sent so far is kept.
      const headers = { "Retry-After": RETRY_WHEN_FULL };
      return refuse("UNAVAILABLE", "The registry has no room left; it is not your fault", { headers });
    }
    return refuse("UNKNOWN", "Something went wrong here; the registry's own log says what");
  }
}

function isFull(error: unknown): boolean {
  return (
    (error instanceof StoreError && error.code === "NO_SPACE") ||
    (error instanceof DatabaseError && error.code === "DATABASE_FULL")
  );
}

function digestInvalid(text: string): RegistryResponse {
  const unsupported = findDigestFault(text) === "unsupported";
  return refuse(
    "DIGEST_INVALID",
    unsupported ? "The digest's algorithm is not supported" : "That is not a digest",
    {
      detail: { digest: text.slice(0, 200) },
    },
  );
}
