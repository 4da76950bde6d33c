/**
 * A container runtime that goes through the motions. Images are found where the node is said to have them; pulling asks
 * the registries as a pull does, and brings nothing.
 */
import { type HostResolver, RegistryClient } from "../../client/index.ts";
import { hashAuthConfig, StaticSource, type TrackedCredential } from "../../credentials/index.ts";
import {
  type ImageRuntime,
  inspectImage,
  objectOf,
  type PulledImage,
  type RuntimeImage,
  type RuntimePullOptions,
  StoreRuntime,
  tryCredentials,
} from "../../images/index.ts";
import {
  type Descriptor,
  hostPlatformMatcher,
  isDigest,
  type Platform,
  type SignalOptions,
} from "../../oci/index.ts";
import { formatReference, parseDockerRef, type Reference, repositoryName } from "../../reference/index.ts";
import type { AttemptTrace, ExchangeTrace, PresenceTrace } from "../trace.ts";
import type { NodeImages } from "../world/situation.ts";
import type { Conversation } from "./conversation.ts";
import { DryStore } from "./dry-store.ts";
import { candidateOf, type NodeSources } from "./node-sources.ts";
import { traceError, TracedSource } from "./traced-source.ts";

/** Thrown instead of a first request where none may be sent. */
export class NotAskedError extends Error {}

export interface DryRuntimeOptions {
  readonly platform: Platform;
  readonly images: NodeImages | undefined;
  readonly hosts: HostResolver;
  readonly sources: NodeSources;
  /** Undefined: nobody is asked. */
  readonly conversation: Conversation | undefined;
  readonly userAgent: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A pull that went all the way. */
export interface DryPull {
  readonly root: Descriptor;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly configBytes: Uint8Array | undefined;
  readonly layers: readonly Descriptor[];
  readonly size: number;
  readonly source: TracedSource;
}

/** What was asked once isn't asked again: containers often share an image. */
interface Asked {
  readonly source: TracedSource;
  readonly exchanges: ExchangeTrace[];
  readonly pulling: Promise<RuntimeImage>;
}

export class DryRuntime implements ImageRuntime {
  readonly #options: DryRuntimeOptions;
  readonly #store: DryStore;
  readonly #clients = new Map<string, RegistryClient>();
  readonly #repositories = new Map<string, TracedSource>();
  readonly #asked = new Map<string, Asked>();
  /** What came for earlier images of the same Pod, by name. */
  readonly #brought = new Map<string, RuntimeImage>();
  /** Of the image that is being explained. */
  presence: PresenceTrace = { state: "not-asked" };
  attempts: AttemptTrace[] = [];
  pulled: DryPull | undefined;
  sources: TracedSource[] = [];
  /** What the pull was given; undefined when it didn't come to one. */
  tried: readonly TrackedCredential[] | undefined;
  /** Whether it came for an earlier image of the Pod, and so is as its registry has it. */
  fresh = false;
  #last: { readonly name: string; readonly image: RuntimeImage } | undefined;

  constructor(options: DryRuntimeOptions) {
    this.#options = options;
    const { conversation, images } = options;
    this.#store = new DryStore({
      allowConfig: (digest) => conversation?.allowConfig(digest),
      has: images?.has?.bind(images),
    });
  }

  /** Begins with another Pod, which finds what was there before. */
  beginPod(): void {
    this.#brought.clear();
  }

  /** The image that was pulled last would really be here now: what comes after it in its Pod finds it. */
  keep(): void {
    if (this.#last !== undefined) this.#brought.set(this.#last.name, this.#last.image);
  }

  /** Begins the account of another image. */
  begin(): void {
    this.fresh = false;
    this.#last = undefined;
    this.presence = { state: "not-asked" };
    this.attempts = [];
    this.pulled = undefined;
    this.sources = [];
    this.tried = undefined;
  }

  async find(image: string, options: SignalOptions = {}): Promise<RuntimeImage | undefined> {
    const { images } = this.#options;
    const brought = this.#findBrought(image);
    if (brought !== undefined) {
      const { id, digest } = brought;
      const source = "what came for this Pod before";
      this.presence = { state: "present", id, ...(digest !== undefined && { digest }), source };
      this.fresh = true;
      return brought;
    }
    if (images === undefined) {
      this.presence = { state: "unknown" };
      return undefined;
    }
    const seen = await images.find(image, options);
    const { source } = images;
    if (seen.state !== "found") {
      this.presence = { state: seen.state === "missing" ? "absent" : "unknown", source };
      return undefined;
    }
    const { id, digest } = seen.value;
    this.presence = { state: "present", id, ...(digest !== undefined && { digest }), source };
    return seen.value;
  }

  async pull(image: string, options: RuntimePullOptions = {}): Promise<PulledImage> {
    this.tried = options.credentials ?? [];
    if (this.#options.conversation === undefined) throw new NotAskedError("no registry was asked");
    const reference = parseDockerRef(image);
    const runtime = new StoreRuntime({
      store: this.#store,
      registry: (of, credential) => this.#source(of, credential ?? null),
      platform: this.#options.platform,
    });
    const { credentials = [], ...rest } = options;
    const { value } = await tryCredentials(credentials, {
      attempt: (credential) =>
        this.#attempt(reference, credential, () =>
          runtime.pull(image, { ...rest, credentials: credential === undefined ? [] : [credential] }),
        ),
      signal: options.signal,
    });
    this.#last = { name: formatReference(reference), image: value };
    return value;
  }

  /** As a store of ours finds images: by id, by name, and by digest under any name of the repository. */
  #findBrought(image: string): RuntimeImage | undefined {
    if (isDigest(image)) return [...this.#brought.values()].find(({ id }) => id === image);
    const reference = parseDockerRef(image);
    const exact = this.#brought.get(formatReference(reference));
    if (exact !== undefined || reference.digest === undefined) return exact;
    const repository = repositoryName(reference);
    return [...this.#brought].find(
      ([name, { digest }]) =>
        digest === reference.digest && repositoryName(parseDockerRef(name)) === repository,
    )?.[1];
  }

  /** Looks what a tag stands for now, for an image that is here. */
  async compare(
    reference: Reference,
    credential: TrackedCredential | undefined,
    options: SignalOptions,
  ): Promise<void> {
    const exchanges: ExchangeTrace[] = [];
    this.#options.conversation?.record(exchanges);
    const source = this.#source(reference, credential ?? null);
    this.sources.push(source);
    const base = { as: credential?.origin.label ?? "anonymous", repeated: false, exchanges };
    try {
      await source.resolve(objectOf(reference), options);
      this.attempts.push({ ...base, result: "ok" });
    } catch (error) {
      this.attempts.push({ ...base, result: "failed", error: traceError(error) });
      throw error;
    }
  }

  async #attempt(
    reference: Reference,
    credential: TrackedCredential | undefined,
    pull: () => Promise<PulledImage>,
  ): Promise<PulledImage> {
    const key = keyOf(reference, credential);
    const before = this.#asked.get(key);
    const exchanges: ExchangeTrace[] = before?.exchanges ?? [];
    if (before === undefined) this.#options.conversation?.record(exchanges);
    const source = before?.source ?? this.#source(reference, credential ?? null);
    const pulling = before?.pulling ?? pull();
    if (before === undefined) this.#asked.set(key, { source, exchanges, pulling });
    this.sources.push(source);
    const base = {
      as: credential?.origin.label ?? "anonymous",
      repeated: before !== undefined,
      exchanges,
    };
    try {
      const image = await pulling;
      this.pulled = await this.#inspect(source);
      this.attempts.push({ ...base, result: "ok" });
      return { ...image, credential };
    } catch (error) {
      const told = traceError(error);
      const said = told.said.length > 0 ? told.said : (source.seen.missing?.said ?? []);
      this.attempts.push({ ...base, result: "failed", error: { ...told, said } });
      throw error;
    }
  }

  #source(reference: Reference, credential: TrackedCredential | null): TracedSource {
    const key = JSON.stringify([
      repositoryName(reference),
      objectOf(reference),
      identify(credential ?? undefined),
    ]);
    const known = this.#repositories.get(key);
    if (known !== undefined) return known;
    const source = new TracedSource(
      this.#client(reference.domain, credential ?? undefined).repository(reference.domain, reference.path),
    );
    this.#repositories.set(key, source);
    return source;
  }

  /** As a node has them: one for each registry and login, wherever that comes from. */
  #client(domain: string, credential: TrackedCredential | undefined): RegistryClient {
    const key = `${domain} ${credential === undefined ? "" : hashOf(credential)}`;
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const { hosts, conversation, sources, userAgent, now } = this.#options;
    if (conversation === undefined) throw new NotAskedError("no registry was asked");
    const candidate = credential && candidateOf(sources, credential);
    const client = new RegistryClient({
      hosts,
      send: conversation.send,
      // A mirror is another registry, and none of its business is who we are to this one.
      credentials: new StaticSource(candidate === undefined ? [] : [{ registry: domain, candidate }]),
      userAgent,
      clock: now,
      // A node asks once; the next attempt is the back-off's affair.
      retry: { attempts: 1 },
    });
    this.#clients.set(key, client);
    return client;
  }

  async #inspect(source: TracedSource): Promise<DryPull | undefined> {
    const { root } = source.seen;
    if (root === undefined) return undefined;
    const facts = await inspectImage(this.#store, root, {
      matcher: hostPlatformMatcher(this.#options.platform),
    });
    if (facts === undefined) return undefined;
    const { descriptor, manifest, size } = facts;
    return {
      root,
      manifest: descriptor,
      config: manifest.config,
      configBytes: this.#store.find(manifest.config.digest),
      layers: manifest.layers,
      size,
      source,
    };
  }
}

function keyOf(reference: Reference, credential: TrackedCredential | undefined): string {
  return JSON.stringify([repositoryName(reference), objectOf(reference), identify(credential)]);
}

function identify(credential: TrackedCredential | undefined): string {
  if (credential === undefined) return "";
  return JSON.stringify([hashOf(credential), credential.origin.label]);
}

function hashOf({ username, password }: TrackedCredential): string {
  return hashAuthConfig({ username, password });
}
