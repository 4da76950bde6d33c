/** A registry elsewhere, as a mirror asks it: over the client room, by one identity or by each caller's own. */
import {
  type HostResolver,
  type HttpSend,
  RegistryClient,
  type Repository,
  SocketTransport,
  type SocketTransportOptions,
} from "../../client/index.ts";
import type { CredentialSource } from "../../credentials/index.ts";
import { isDigest, isManifestOrIndexType, matchRoute, MEDIA_TYPES } from "../../oci/index.ts";
import type { ContentStream, Descriptor, Digest } from "../../oci/index.ts";
import type { TagsPage, Upstream, UpstreamBlob, UpstreamCaller } from "../../registry/index.ts";
import { UpstreamError, type UpstreamManifest, type UpstreamQuery } from "../../registry/index.ts";
import { credentialsOf } from "./callers.ts";
import { toUpstreamError } from "./upstream-errors.ts";

/** Clients of callers that are kept, with their tokens; each is small, as all share their connections. */
const CALLERS = 200;
/** Challenges that are kept, one for each repository. */
const CHALLENGES = 1_000;
/** Enough for any subject that people look at, and a bound for those that nobody does. */
const MAX_REFERRERS = 10_000;

export interface ClientUpstreamOptions {
  /** The registry as the client is to call it. */
  readonly domain: string;
  readonly hosts: HostResolver;
  /** Who the mirror is itself. */
  readonly credentials: CredentialSource;
  readonly userAgent: string;
  readonly transport?: SocketTransportOptions | undefined;
  /** Sends requests instead of sockets of its own. */
  readonly send?: HttpSend | undefined;
  readonly clock?: (() => number) | undefined;
  readonly onWarning?: ((text: string) => void) | undefined;
}

export class ClientUpstream implements Upstream {
  readonly #options: ClientUpstreamOptions;
  readonly #transport: SocketTransport | undefined;
  readonly #send: HttpSend;
  readonly #own: RegistryClient;
  readonly #callers = new Map<string, RegistryClient>();
  readonly #challenges = new Map<string, string>();

  constructor(options: ClientUpstreamOptions) {
    this.#options = options;
    this.#transport = options.send === undefined ? new SocketTransport(options.transport) : undefined;
    const send = options.send ?? (this.#transport as SocketTransport).send;
    this.#send = async (request) => {
      const response = await send(request);
      if (response.status === 401) this.#learn(request.url, response.headers("www-authenticate"));
      return response;
    };
    this.#own = this.#clientOf(options.credentials);
  }

  headManifest(query: UpstreamQuery, reference: string): Promise<Descriptor> {
    return this.#ask(query, async (repository) => {
      const found = await repository.resolve(reference, { signal: query.signal });
      // The client looks for a blob where there is no manifest of that digest.
      if (!isDigest(reference) || isManifestOrIndexType(found.mediaType)) return found;
      const name = `${this.#options.domain}/${query.repository}`;
      const why = "it is no manifest there";
      throw new UpstreamError("MANIFEST_UNKNOWN", `Cannot read manifest "${reference}" of "${name}": ${why}`);
    });
  }

  openManifest(query: UpstreamQuery, reference: string): Promise<UpstreamManifest> {
    return this.#ask(query, (repository) => repository.manifest(reference, { signal: query.signal }));
  }

  headBlob(query: UpstreamQuery, digest: Digest): Promise<UpstreamBlob> {
    return this.#ask(query, async (repository) => {
      const { size } = await repository.resolveBlob(digest, { signal: query.signal });
      return { digest, size };
    });
  }

  async openBlob(query: UpstreamQuery, blob: UpstreamBlob, offset: number): Promise<ContentStream> {
    // As a layer, so that it comes as it is: another coding would cost its length, and going on after a break.
    const descriptor = { ...blob, mediaType: MEDIA_TYPES.ociLayerGzip };
    const { signal } = query;
    const stream = await this.#ask(query, (repository) => repository.open(descriptor, { offset, signal }));
    return {
      close: () => stream.close(),
      pump: (consume) =>
        stream.pump(consume).catch((error: unknown) => {
          throw toUpstreamError(error);
        }),
    };
  }

  listTags(query: UpstreamQuery, { after, limit }: TagsPage): Promise<readonly string[]> {
    return this.#ask(query, async (repository) => {
      const tags: string[] = [];
      if (limit === 0) return tags;
      for await (const tag of repository.tags({ pageSize: limit, last: after, signal: query.signal })) {
        tags.push(tag);
        if (tags.length === limit) break;
      }
      return tags;
    });
  }

  listReferrers(
    query: UpstreamQuery,
    subject: Digest,
    artifactType: string | undefined,
  ): Promise<readonly Descriptor[]> {
    return this.#ask(query, async (repository) => {
      const found: Descriptor[] = [];
      for await (const referrer of repository.referrers(subject, { artifactType, signal: query.signal })) {
        found.push(referrer);
        if (found.length === MAX_REFERRERS) break;
      }
      return found;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport?.close();
  }

  async #ask<Result>(
    query: UpstreamQuery,
    ask: (repository: Repository) => Promise<Result>,
  ): Promise<Result> {
    const client = query.caller === undefined ? this.#own : this.#clientFor(query.caller);
    try {
      return await ask(client.repository(this.#options.domain, query.repository));
    } catch (error) {
      query.signal?.throwIfAborted();
      throw toUpstreamError(error, this.#challenges.get(query.repository));
    }
  }

  #clientFor(caller: UpstreamCaller): RegistryClient {
    const known = this.#callers.get(caller.id) ?? this.#clientOf(credentialsOf(caller, this.#options.domain));
    this.#callers.delete(caller.id);
    this.#callers.set(caller.id, known);
    const [oldest] = this.#callers.keys();
    if (this.#callers.size > CALLERS && oldest !== undefined) this.#callers.delete(oldest);
    return known;
  }

  #clientOf(credentials: CredentialSource): RegistryClient {
    const { hosts, userAgent, clock, onWarning } = this.#options;
    return new RegistryClient({
      hosts,
      credentials,
      userAgent,
      clock,
      onWarning,
      send: this.#send,
      // Whoever waits here is a client with retries of its own; and "come again later" is for all who ask.
      retry: { attempts: 2, delay: 200, maxRetryAfter: 0 },
    });
  }

  /** What the registry itself wants to see; where it sends blobs to has no say in this. */
  #learn(url: URL, challenges: readonly string[]): void {
    const match = matchRoute(url.pathname);
    const { domain } = this.#options;
    const own = url.host === domain || (domain === "docker.io" && url.host === "registry-1.docker.io");
    if (!own || match === undefined || !("name" in match) || challenges.length === 0) return;
    this.#challenges.delete(match.name);
    this.#challenges.set(match.name, challenges.join(", "));
    const [oldest] = this.#challenges.keys();
    if (this.#challenges.size > CHALLENGES && oldest !== undefined) this.#challenges.delete(oldest);
  }
}
