import { join } from "node:path";

import type { TrackedCredential } from "../credentials/index.ts";
import { DrayError } from "../errors.ts";
import { type ImageRuntime, inspectImage } from "../images/index.ts";
import {
  type ContentSource,
  type Descriptor,
  type Digest,
  hostPlatformMatcher,
  type ImageConfig,
  isImageConfigType,
  OciError,
  parseImageConfig,
  type Platform,
  type PlatformMatcher,
  readContent,
  type SignalOptions,
} from "../oci/index.ts";
import { parseReference, repositoryName, sortReferences } from "../reference/index.ts";
import { describeImage } from "./describe-image.ts";
import { measureFolders } from "./folder-usage.ts";
import type {
  BackendPullOptions,
  CriImage,
  FileSystemUsage,
  ImageBackend,
  PullRequest,
} from "./image-backend.ts";
import { imageSize } from "./image-size.ts";
import { imageUser } from "./image-user.ts";
import { completeName, lookUp } from "./look-up.ts";
import type { PullAuths } from "./pull-auth.ts";

/** As much of a store as is needed here. */
export interface NamedContent extends ContentSource {
  readonly names: {
    list(): Iterable<{ readonly name: string; readonly target: Descriptor; readonly updatedAt: number }>;
    delete(name: string): boolean;
  };
  has(descriptor: Descriptor, options?: SignalOptions): Promise<boolean>;
}

export interface StoreBackendOptions {
  readonly store: NamedContent;
  /** Fetches into the store. */
  readonly runtime: Pick<ImageRuntime, "pull">;
  /** Makes of a pull's credential what the runtime hands on. */
  readonly auths: PullAuths;
  /** What a pull without a credential is tried with, in this order; without it such pulls are anonymous. */
  readonly nodeCredentials?:
    | ((request: PullRequest, options: SignalOptions) => Promise<readonly TrackedCredential[]>)
    | undefined;
  readonly platform: Platform;
  /** The store's, with the content in `blobs` and `ingest`. */
  readonly folder: string;
  /** Frees what no name leads to any more, at once. */
  readonly collect: (options: SignalOptions) => Promise<unknown>;
  /**
   * Drops what nobody is writing any more; called when a pull or a removal ran out of room, since kubelets can free
   * images alone.
   */
  readonly makeRoom?: (() => Promise<unknown>) | undefined;
  /** Names of images that are never to be collected; those that are no names count for nothing. */
  readonly pinned?: readonly string[] | undefined;
  /** More of them, which come and go while this serves. */
  readonly pins?: (() => Promise<readonly string[]>) | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const FULL: ReadonlySet<string> = new Set(["NO_SPACE", "DATABASE_FULL"]);

/** What doesn't change about a target, as long as it's here. */
interface Facts {
  readonly id: Digest;
  readonly config: Descriptor;
  readonly contents: readonly Descriptor[];
  readonly size: number;
  readonly uid: bigint | undefined;
  readonly username: string;
}

interface Held {
  readonly image: CriImage;
  readonly names: readonly string[];
  readonly facts: Facts;
}

/** The images of a store of ours. */
export class StoreBackend implements ImageBackend {
  readonly #options: StoreBackendOptions;
  readonly #matcher: PlatformMatcher;
  readonly #pinned: ReadonlySet<string>;
  /** By target: what was read once isn't read again. */
  #facts = new Map<Digest, Facts>();
  /** By id, as long as it has a name. */
  #sizes = new Map<Digest, number>();
  #collecting: { readonly running: Promise<unknown>; next?: Promise<unknown> } | undefined;

  constructor(options: StoreBackendOptions) {
    this.#options = options;
    this.#matcher = hostPlatformMatcher(options.platform);
    this.#pinned = new Set((options.pinned ?? []).map((name) => completeName(name) ?? name));
  }

  async list(options: SignalOptions = {}): Promise<readonly CriImage[]> {
    return (await this.#hold(options)).map(({ image }) => image);
  }

  async find(text: string, options: SignalOptions = {}): Promise<CriImage | undefined> {
    return (await this.#findWhole(text, options))?.image;
  }

  async describe(id: string, options: SignalOptions = {}): Promise<string | undefined> {
    const held = await this.#findWhole(id, options);
    if (held === undefined) return undefined;
    const { config } = held.facts;
    if (!isImageConfigType(config.mediaType)) return describeImage(undefined);
    const read = await this.#readConfig(config, options);
    return read && describeImage(read);
  }

  async pull(request: PullRequest, options: BackendPullOptions = {}): Promise<string> {
    const { runtime, auths, nodeCredentials, makeRoom } = this.#options;
    const { image, annotations, runtimeHandler } = request;
    const given = auths.track(request.auth);
    const credentials = given === undefined ? ((await nodeCredentials?.(request, options)) ?? []) : [given];
    try {
      const { id } = await runtime.pull(image, {
        credentials,
        annotations: Object.entries(annotations).map(([name, value]) => ({ name, value })),
        runtimeHandler,
        ...options,
      });
      return id;
    } catch (error) {
      // What was begun is worth less than room: the failure is what counts, also where none can be made.
      if (isFull(error)) await makeRoom?.().catch(() => {});
      throw error;
    }
  }

  async remove(text: string, options: SignalOptions = {}): Promise<void> {
    const found = lookUpHeld(await this.#hold(options), text);
    if (found === undefined) {
      // Somebody else may be freeing it just now: whoever asks for a removal finds its space free afterwards.
      await this.#collecting?.running.catch(() => {});
      return;
    }
    try {
      await this.#removeNames(found.names, options);
    } catch (error) {
      if (!isFull(error)) throw error;
      // Whoever removes an image does so for room: that there is none must not be in the way.
      await this.#options.makeRoom?.().catch(() => {});
      await this.#removeNames(found.names, options);
    }
  }

  async #removeNames(names: readonly string[], options: SignalOptions): Promise<void> {
    for (const name of names) this.#options.store.names.delete(name);
    await this.#collect(options);
  }

  async fileSystems(options: SignalOptions = {}): Promise<readonly FileSystemUsage[]> {
    const { folder, now } = this.#options;
    const measuredAt = now();
    const mountpoint = join(folder, "blobs");
    const { bytes, inodes } = await measureFolders([mountpoint, join(folder, "ingest")], options);
    return [{ measuredAt, mountpoint, usedBytes: bytes, inodesUsed: inodes }];
  }

  /** An image of which a part was lost isn't here: then a kubelet pulls it again. */
  async #findWhole(text: string, options: SignalOptions): Promise<Held | undefined> {
    const held = lookUpHeld(await this.#hold(options), text);
    if (held === undefined) return undefined;
    const there = held.facts.contents.map((content) => this.#options.store.has(content, options));
    return (await Promise.all(there)).every(Boolean) ? held : undefined;
  }

  async #hold(options: SignalOptions): Promise<readonly Held[]> {
    const used = new Map<Digest, Facts>();
    const byId = new Map<Digest, { facts: Facts; names: string[]; repoDigests: Set<string> }>();
    const sizes = new Map<Digest, number>();
    // One image may be named by a manifest and by an index of it: as in containerd, what came first tells the size.
    const all = [...this.#options.store.names.list()].toSorted((a, b) => a.updatedAt - b.updatedAt);
    for (const { name, target } of all) {
      options.signal?.throwIfAborted();
      const facts =
        used.get(target.digest) ?? this.#facts.get(target.digest) ?? (await this.#read(target, options));
      if (facts === undefined) continue;
      used.set(target.digest, facts);
      const held = byId.get(facts.id) ?? { facts, names: [], repoDigests: new Set<string>() };
      byId.set(facts.id, held);
      if (!sizes.has(facts.id)) sizes.set(facts.id, this.#sizes.get(facts.id) ?? facts.size);
      held.names.push(name);
      held.repoDigests.add(`${repositoryName(parseReference(name))}@${target.digest}`);
    }
    this.#facts = used;
    this.#sizes = sizes;
    const pinned = await this.#pinnedNow();
    const images = [...byId].map(([id, { facts, names, repoDigests }]): Held => {
      const repoTags = names.filter((name) => !name.includes("@"));
      const image: CriImage = {
        id,
        repoTags: sortReferences(repoTags),
        repoDigests: sortReferences([...repoDigests]),
        size: sizes.get(id) ?? facts.size,
        uid: facts.uid,
        username: facts.username,
        pinned: [...repoTags, ...repoDigests].some((name) => pinned.has(name)),
      };
      return { image, names, facts };
    });
    return images.toSorted((a, b) => (a.image.id < b.image.id ? -1 : 1));
  }

  async #pinnedNow(): Promise<ReadonlySet<string>> {
    const names = (await this.#options.pins?.()) ?? [];
    return names.length === 0 ? this.#pinned : new Set([...this.#pinned, ...names]);
  }

  async #read(target: Descriptor, options: SignalOptions): Promise<Facts | undefined> {
    const found = await inspectImage(this.#options.store, target, { matcher: this.#matcher, ...options });
    if (found === undefined) return undefined;
    const { manifest, contents } = found;
    const size = imageSize(found);
    const config = await this.#readConfig(manifest.config, options);
    const user = imageUser(config?.config.user ?? "");
    return { id: manifest.config.digest, config: manifest.config, contents, size, ...user };
  }

  /** `undefined` for what is no image's config: an artifact is listed, too, and says nothing of a user. */
  async #readConfig(config: Descriptor, options: SignalOptions): Promise<ImageConfig | undefined> {
    try {
      return parseImageConfig(await readContent(this.#options.store, config, options));
    } catch (error) {
      if (error instanceof OciError) return undefined;
      throw error;
    }
  }

  /** Removals that come together share a collection; one that is under way may have missed what comes later. */
  async #collect({ signal }: SignalOptions): Promise<void> {
    const { collect } = this.#options;
    const state = this.#collecting;
    if (state === undefined) {
      const running = collect({});
      this.#collecting = { running };
      const ended = (): void => {
        this.#collecting = undefined;
      };
      running.then(ended, ended);
    } else {
      state.next ??= state.running.catch(() => {}).then(() => this.#collect({}));
    }
    const mine = state?.next ?? this.#collecting?.running;
    await mine;
    signal?.throwIfAborted();
  }
}

function isFull(error: unknown): boolean {
  return error instanceof DrayError && FULL.has(error.code);
}

function lookUpHeld(held: readonly Held[], text: string): Held | undefined {
  const found = lookUp(
    held.map(({ image }) => image),
    text,
  );
  return held.find(({ image }) => image === found);
}
