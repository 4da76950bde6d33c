/** The images of containerd: what its own CRI plugin would answer, and pulls by our client. */
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

import type { TrackedCredential } from "../../credentials/index.ts";
import { inspectImage, type PullProgress, SharedOperations, tryCredentials } from "../../images/index.ts";
import {
  type Digest,
  hostPlatformMatcher,
  type ImageConfig,
  type ImageSource,
  isImageConfigType,
  OciError,
  parseImageConfig,
  type Platform,
  type PlatformMatcher,
  readContent,
  type SignalOptions,
} from "../../oci/index.ts";
import { formatReference, parseDockerRef, type Reference, sortReferences } from "../../reference/index.ts";
import { describeImage } from "../describe-image.ts";
import type {
  BackendPullOptions,
  CriImage,
  FileSystemUsage,
  ImageBackend,
  PullRequest,
} from "../image-backend.ts";
import { imageSize } from "../image-size.ts";
import { imageUser } from "../image-user.ts";
import { completeName, lookUp } from "../look-up.ts";
import type { PullAuths } from "../pull-auth.ts";
import { applyEarly, applyHere, applyThere, sharesFiles } from "./apply-ways.ts";
import { type ContainerdConnection, openContainerd } from "./connection.ts";
import { ContainerdContent } from "./content.ts";
import { ContentFiles } from "./content-files.ts";
import { attempt } from "./failures.ts";
import { ImageNames, type NamedTarget } from "./image-names.ts";
import { PullLeases } from "./leases.ts";
import { type ApplyWays, ImagePuller } from "./pull-image.ts";
import { SnapshotUsage } from "./snapshot-usage.ts";
import { LayerSnapshots } from "./snapshots.ts";
import { UnpackWorkers } from "./unpack-worker.ts";

export interface ContainerdBackendOptions {
  /** The path of containerd's socket. */
  readonly address: string;
  /** Whose images these are; `k8s.io` by default. */
  readonly namespace?: string | undefined;
  /** `overlayfs` by default. */
  readonly snapshotter?: string | undefined;
  /** Where images are fetched from, and as whom: `null` is nobody. */
  readonly registry: (reference: Reference, credential: TrackedCredential | null) => ImageSource;
  readonly auths: PullAuths;
  /** What a pull without a credential is tried with, in this order; without it such pulls are anonymous. */
  readonly nodeCredentials?:
    | ((request: PullRequest, options: SignalOptions) => Promise<readonly TrackedCredential[]>)
    | undefined;
  readonly platform: Platform;
  /** For the file that tells others this process lives. */
  readonly folder: string;
  /** Names of images that are never to be collected. */
  readonly pinned?: readonly string[] | undefined;
  /** Contents of one image under way at a time; 3 by default. */
  readonly concurrency?: number | undefined;
  /** Milliseconds for which what a cut pull brought waits for the next one; ten minutes by default. */
  readonly keepCut?: number | undefined;
  /** Who unpacks: `here` this process, where it may; `there` containerd. `here` by default. */
  readonly unpack?: "here" | "there" | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface Facts {
  readonly id: Digest;
  readonly config: ImageConfig | undefined;
  readonly size: number;
}

interface Held {
  readonly image: CriImage;
  readonly names: readonly string[];
  readonly facts: Facts;
}

const KEEP_CUT = 10 * 60 * 1000;
/** Layers unpacked at a time, of all pulls. */
const UNPACKING = Math.min(4, Math.max(1, availableParallelism() >> 1));
/** Milliseconds that a pull waits at most until containerd's CRI plugin knows the image, too. */
const SEEN = 2000;

export class ContainerdBackend implements ImageBackend, AsyncDisposable {
  readonly #options: ContainerdBackendOptions;
  readonly #connection: ContainerdConnection;
  readonly #content: ContainerdContent;
  readonly #names: ImageNames;
  readonly #leases: PullLeases;
  readonly #puller: ImagePuller;
  readonly #usage: SnapshotUsage;
  readonly #matcher: PlatformMatcher;
  readonly #pinned: ReadonlySet<string>;
  readonly #pulls = new SharedOperations<PullProgress, Digest>();
  readonly #workers = new UnpackWorkers(UNPACKING);
  readonly #removals = new Set<Promise<void>>();
  /** By target. */
  #facts = new Map<string, Facts>();
  #ways: Promise<ApplyWays> | undefined;

  private constructor(options: ContainerdBackendOptions) {
    const { address, namespace = "k8s.io", snapshotter = "overlayfs", now } = options;
    const connection = openContainerd(address, namespace);
    const content = new ContainerdContent(connection);
    const snapshots = new LayerSnapshots(connection, snapshotter);
    const names = new ImageNames(connection);
    const leases = new PullLeases({
      connection,
      folder: options.folder,
      keep: options.keepCut ?? KEEP_CUT,
      now,
      dropSnapshot: ({ id }) => snapshots.remove(id),
    });
    this.#options = options;
    this.#connection = connection;
    this.#content = content;
    this.#names = names;
    this.#leases = leases;
    this.#matcher = hostPlatformMatcher(options.platform);
    this.#pinned = new Set((options.pinned ?? []).map((name) => completeName(name) ?? name));
    this.#usage = new SnapshotUsage({
      connection,
      snapshotter,
      now,
      mountpoint: () => this.#rootOf("io.containerd.snapshotter.v1", snapshotter),
    });
    this.#puller = new ImagePuller({
      connection,
      content,
      snapshots,
      names,
      leases,
      ways: () => this.#knownWays(),
      matcher: this.#matcher,
      concurrency: options.concurrency ?? 3,
      isPinned: (name) => this.#pinned.has(name),
    });
  }

  /**
   * Connects, and takes over what a process left that was killed.
   *
   * @throws CriError `CONTAINERD_UNAVAILABLE`, `CONTAINERD_FAILED`
   */
  static async open(options: ContainerdBackendOptions): Promise<ContainerdBackend> {
    const backend = new ContainerdBackend(options);
    try {
      await attempt(`reach ${JSON.stringify(options.address)}`, backend.#connection.version.version({}));
      await backend.#leases.adopt();
      return backend;
    } catch (error) {
      await backend[Symbol.asyncDispose]();
      throw error;
    }
  }

  async list(options: SignalOptions = {}): Promise<readonly CriImage[]> {
    return (await this.#hold(options)).map(({ image }) => image);
  }

  async find(text: string, options: SignalOptions = {}): Promise<CriImage | undefined> {
    return lookUpHeld(await this.#hold(options), text)?.image;
  }

  async describe(id: string, options: SignalOptions = {}): Promise<string | undefined> {
    const held = lookUpHeld(await this.#hold(options), id);
    return held && describeImage(held.facts.config);
  }

  async pull(request: PullRequest, options: BackendPullOptions = {}): Promise<string> {
    const { auths, nodeCredentials, registry } = this.#options;
    const reference = parseDockerRef(request.image);
    const given = auths.track(request.auth);
    const credentials = given === undefined ? ((await nodeCredentials?.(request, options)) ?? []) : [given];
    const { value: id } = await tryCredentials(credentials, {
      attempt: (tried) =>
        // Another's success proves nothing for us: only equal credentials share a pull.
        this.#pulls.run(
          JSON.stringify([formatReference(reference), tried?.hash ?? null]),
          (signal, report) =>
            this.#puller.pull(reference, registry(reference, tried ?? null), { signal, report }),
          options,
        ),
      signal: options.signal,
    });
    this.#usage.changed();
    await this.#untilSeen(id, options);
    return id;
  }

  async remove(text: string, options: SignalOptions = {}): Promise<void> {
    const found = lookUpHeld(await this.#hold(options), text);
    // Somebody else may be removing it just now: whoever asks finds its space free afterwards.
    if (found === undefined) return void (await Promise.allSettled(this.#removals));
    const removal = this.#removeNames(found.names, options);
    this.#removals.add(removal);
    try {
      await removal;
    } finally {
      this.#removals.delete(removal);
      this.#usage.changed();
    }
  }

  async fileSystems(options: SignalOptions = {}): Promise<readonly FileSystemUsage[]> {
    return [await this.#usage.measure(options)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#workers[Symbol.asyncDispose]();
    await this.#leases[Symbol.asyncDispose]();
    this.#connection[Symbol.dispose]();
  }

  async #removeNames(names: readonly string[], { signal }: SignalOptions): Promise<void> {
    for (const [index, name] of names.entries()) {
      await this.#names.delete(name, { sync: index === names.length - 1, signal });
    }
  }

  async #hold(options: SignalOptions): Promise<readonly Held[]> {
    const used = new Map<string, Facts>();
    const byId = new Map<Digest, { readonly facts: Facts; readonly named: NamedTarget[] }>();
    // One image may be named by a manifest and by an index of it: as in containerd, what came first tells the size.
    const all = (await this.#names.list(options)).toSorted((a, b) => (a.since < b.since ? -1 : 1));
    for (const named of all) {
      const { digest } = named.target;
      const facts = used.get(digest) ?? this.#facts.get(digest) ?? (await this.#read(named, options));
      if (facts === undefined) continue;
      used.set(digest, facts);
      const held = byId.get(facts.id) ?? { facts, named: [] };
      byId.set(facts.id, held);
      held.named.push(named);
    }
    this.#facts = used;
    const images = [...byId.values()].map(({ facts, named }) => hold(facts, named));
    return images.toSorted((a, b) => (a.image.id < b.image.id ? -1 : 1));
  }

  /** What doesn't change about a target; `undefined` for what is no image, or whose documents are not here. */
  async #read({ target }: NamedTarget, options: SignalOptions): Promise<Facts | undefined> {
    try {
      const found = await inspectImage(this.#content, target, { matcher: this.#matcher, ...options });
      if (found === undefined) return undefined;
      const { manifest } = found;
      // An artifact is listed, too, and says nothing of a user.
      const config = isImageConfigType(manifest.config.mediaType)
        ? parseImageConfig(await readContent(this.#content, manifest.config, options))
        : undefined;
      return { id: manifest.config.digest, config, size: imageSize(found) };
    } catch (error) {
      if (error instanceof OciError) return undefined;
      throw error;
    }
  }

  async #rootOf(type: string, id: string): Promise<string> {
    const { introspection, call } = this.#connection;
    const filters = [`type==${type},id==${id}`];
    const { plugins } = await attempt(
      "look for containerd's folders",
      introspection.plugins({ filters }, call()),
    );
    return plugins[0]?.exports["root"] ?? "";
  }

  async #knownWays(): Promise<ApplyWays> {
    try {
      return await (this.#ways ??= this.#findWays());
    } catch (error) {
      this.#ways = undefined;
      throw error;
    }
  }

  async #findWays(): Promise<ApplyWays> {
    const { introspection, call } = this.#connection;
    const there = applyThere(this.#connection);
    if (this.#options.unpack === "there") return { whole: [there] };
    const { pidns } = await attempt("ask who containerd is", introspection.server({}, call()));
    if (!sharesFiles(pidns)) return { whole: [there] };
    const root = await this.#rootOf("io.containerd.content.v1", "content");
    if (root === "") return { whole: [there] };
    const files = new ContentFiles(root, this.#connection.namespace);
    return {
      whole: [applyHere(this.#workers, files), there],
      early: (arrival) => applyEarly(this.#workers, files, arrival),
    };
  }

  /** The kubelet asks containerd for a container next, whose CRI plugin hears of images a moment later. */
  async #untilSeen(id: string, { signal }: SignalOptions): Promise<void> {
    const { cri } = this.#connection;
    const started = performance.now();
    for (let wait = 2; performance.now() - started < SEEN; wait = Math.min(wait * 2, 100)) {
      try {
        if (
          (await cri.imageStatus({ image: { image: id } }, this.#connection.call({ signal }))).image !==
          undefined
        )
          return;
      } catch {
        // There is no such plugin, or it isn't ready: nobody waits for it then.
        return;
      }
      await delay(wait, undefined, { signal });
    }
  }
}

function hold(facts: Facts, named: readonly NamedTarget[]): Held {
  const names = named.map(({ name }) => name);
  const shown = names.filter((name) => name !== facts.id);
  const image: CriImage = {
    id: facts.id,
    repoTags: sortReferences(shown.filter((name) => !name.includes("@"))),
    repoDigests: sortReferences(shown.filter((name) => name.includes("@"))),
    size: facts.size,
    ...imageUser(facts.config?.config.user ?? ""),
    pinned: named.some(({ pinned }) => pinned),
  };
  return { image, names, facts };
}

function lookUpHeld(held: readonly Held[], text: string): Held | undefined {
  const found = lookUp(
    held.map(({ image }) => image),
    text,
  );
  return held.find(({ image }) => image === found);
}
