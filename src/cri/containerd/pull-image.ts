/**
 * One image on its way into containerd.
 *
 * ```text
 * resolve ─► documents ─► layers, several at a time ─► content store
 *                                                            └─► unpacked in order, as they come ─► snapshots
 *                         config and documents, with labels that point at all this ─► names
 * ```
 *
 * All of it under one lease. Layers whose snapshot is there are neither fetched nor unpacked, and what other pulls are
 * fetching or unpacking now is waited for.
 */
import { countBytes, objectOf, type PullProgress, SharedOperations } from "../../images/index.ts";
import {
  type CopyEvent,
  type CopyPlan,
  type ContentSource,
  type Descriptor,
  type Digest,
  forEachLimited,
  type ImageSource,
  parseManifest,
  planCopy,
  type PlatformMatcher,
  readContent,
  type SignalOptions,
} from "../../oci/index.ts";
import { formatReference, type Reference } from "../../reference/index.ts";
import { type Arrival, Arrivals } from "./arrivals.ts";
import type { ContainerdConnection } from "./connection.ts";
import type { ContainerdContent } from "./content.ts";
import { fetchContent } from "./fetch-content.ts";
import { isFull } from "./failures.ts";
import { type ImageNames, namesOf } from "./image-names.ts";
import {
  childLabels,
  type Labels,
  snapshotLabel,
  sourceKey,
  UNCOMPRESSED,
  withRepository,
} from "./labels.ts";
import type { PullLease, PullLeases } from "./leases.ts";
import { readImage } from "./read-image.ts";
import type { ApplyLayer, LayerSnapshots, LayerToUnpack } from "./snapshots.ts";
import { Turns } from "./turns.ts";

/** How snapshots are filled. */
export interface ApplyWays {
  /** With layers that are here, the best way first. */
  readonly whole: readonly ApplyLayer[];
  /** With one that is on its way. */
  readonly early?: (arrival: Arrival) => ApplyLayer;
}

export interface PullerOptions {
  readonly connection: ContainerdConnection;
  readonly content: ContainerdContent;
  readonly snapshots: LayerSnapshots;
  readonly names: ImageNames;
  readonly leases: PullLeases;
  readonly ways: () => Promise<ApplyWays>;
  readonly matcher: PlatformMatcher;
  /** Contents of one image under way at a time. */
  readonly concurrency: number;
  readonly isPinned: (name: string) => boolean;
}

/** Contents under way at a time, of all pulls: each has buffers of its own. */
const FETCHES = 6;
/** Bytes of a layer that is worth being unpacked while it comes; a smaller one is here before a thread has begun. */
const EARLY = 24 * 1024 * 1024;

interface Work extends SignalOptions {
  readonly reference: Reference;
  readonly source: CopyPlan["source"];
  readonly lease: PullLease;
  readonly onEvent: (event: CopyEvent) => void;
  readonly onUnpacked: (chainId: string, bytes: number) => void;
}

/** How much of a content is here, brought by us or by somebody else. */
interface Coming {
  readonly type: "progress" | "awaited";
  readonly bytes: number;
}

export class ImagePuller {
  readonly #options: PullerOptions;
  readonly #fetches = new SharedOperations<Coming, "written" | "exists">();
  readonly #turns = new Turns(FETCHES);
  readonly #unpacks = new SharedOperations<number, void>();
  readonly #arrivals = new Arrivals();

  constructor(options: PullerOptions) {
    this.#options = options;
  }

  /** Resolves with the image's id, when containerd has it, unpacked and named. */
  async pull(
    reference: Reference,
    from: ImageSource,
    { signal, report }: SignalOptions & { readonly report: (progress: PullProgress) => void },
  ): Promise<Digest> {
    const { leases, matcher, concurrency } = this.#options;
    const root = await from.resolve(objectOf(reference), { signal });
    const plan = await planCopy(this.#hereFirst(from), root, {
      signal,
      matcher,
      concurrency,
      dropIndex: false,
      foreignLayers: true,
    });
    const lease = await leases.begin(root.digest, { signal });
    try {
      const work = { reference, source: plan.source, lease, signal, ...progressOf(report) };
      const id = await this.#bring(plan, work);
      await lease.done();
      return id;
    } catch (error) {
      // A full disk is no place to keep something for later.
      if (isFull(error)) await lease.done({ sync: true }).catch(() => {});
      else lease.cut();
      throw error;
    }
  }

  /** Documents that are here aren't asked for again; the registry was, when the name was resolved. */
  #hereFirst(from: ContentSource): ContentSource {
    const { content } = this.#options;
    return {
      open: async (descriptor, options) => {
        const here = (await content.info(descriptor.digest, options)) !== undefined;
        return await (here ? content : from).open(descriptor, options);
      },
    };
  }

  async #bring(plan: CopyPlan, given: Work): Promise<Digest> {
    const { reference, signal, onEvent } = given;
    const { snapshots, names, isPinned, concurrency } = this.#options;
    const { config, layers, parts, source } = await readImage(plan, signal);
    const work = { ...given, source };
    const documents = plan.groups.flat();
    const found = new Map(
      [config, ...layers.map(({ descriptor }) => descriptor), ...parts, ...documents].map((one) => [
        one.digest,
        one,
      ]),
    );
    for (const descriptor of found.values()) onEvent({ type: "found", descriptor });

    await this.#unpackAll(layers, work);
    await forEachLimited(parts, { concurrency, signal }, (part, stop) =>
      this.#fetch(part, { ...work, signal: stop }, {}),
    );
    const top = layers.at(-1);
    await this.#fetch(
      config,
      work,
      top === undefined ? {} : snapshotLabel(snapshots.snapshotter, top.chainId),
    );
    for (const descriptor of documents) {
      const bytes = await readContent(source, descriptor, { signal });
      await this.#fetch(
        descriptor,
        work,
        childLabels(parseManifest(bytes, { mediaType: descriptor.mediaType })),
      );
    }
    // As containerd has it, what was pulled by a pinned name is pinned under all its names.
    const pinned = isPinned(formatReference(reference));
    for (const name of namesOf(reference, plan.root.digest, config.digest)) {
      await names.put(name, plan.root, { pinned, signal });
    }
    return config.digest;
  }

  /**
   * Fetches and unpacks what has no snapshot yet. A layer is unpacked when those below are done: when it is here, or
   * as it comes if it is a big one.
   */
  async #unpackAll(layers: readonly LayerToUnpack[], work: Work): Promise<void> {
    const first = await this.#firstMissing(layers, work);
    for (const { descriptor } of layers.slice(0, first)) {
      work.onEvent({ type: "done", descriptor, outcome: "exists" });
    }
    const missing = layers.slice(first);
    const stop = new AbortController();
    const signal = work.signal === undefined ? stop.signal : AbortSignal.any([work.signal, stop.signal]);
    const stopping: Work = { ...work, signal };
    const turns = new Turns(this.#options.concurrency);
    const fetched = new Map<Digest, Promise<void>>();
    for (const { descriptor, diffId } of missing) {
      if (fetched.has(descriptor.digest)) continue;
      const fetching = turns.run(() => this.#fetch(descriptor, stopping, { [UNCOMPRESSED]: diffId }));
      // Looked at in its turn; until then it is no unhandled rejection.
      fetching.catch((error: unknown) => stop.abort(error));
      fetched.set(descriptor.digest, fetching);
    }
    try {
      const ways = await this.#options.ways();
      for (const layer of missing) {
        const fetching = fetched.get(layer.descriptor.digest);
        if (await this.#unpackEarly(layer, ways, { ...stopping, fetching })) continue;
        await fetching;
        await this.#unpack(layer, ways.whole, stopping);
      }
    } catch (error) {
      work.signal?.throwIfAborted();
      const failure: unknown = stop.signal.aborted ? stop.signal.reason : error;
      stop.abort(failure);
      await Promise.allSettled(fetched.values());
      throw failure;
    }
  }

  /** Those below the topmost snapshot that is here are here, too. It is leased, so that it stays. */
  async #firstMissing(layers: readonly LayerToUnpack[], { lease, signal }: Work): Promise<number> {
    const { snapshots } = this.#options;
    for (let count = layers.length; count > 0; count--) {
      const id = layers[count - 1]?.chainId ?? "";
      if (!(await snapshots.has(id, { signal }))) continue;
      await lease.protect({ id, type: snapshots.resourceType }, { signal });
      // It may have been collected meanwhile.
      if (await snapshots.has(id, { signal })) return count;
    }
    return 0;
  }

  /** False where that can't be: then the layer may be here, or be somebody else's to bring. */
  async #unpackEarly(
    layer: LayerToUnpack,
    { early, whole }: ApplyWays,
    work: Work & { readonly fetching: Promise<void> | undefined },
  ): Promise<boolean> {
    const { digest, size } = layer.descriptor;
    if (early === undefined || size < EARLY || work.fetching === undefined) return false;
    const arrival = await this.#arrivals.next(digest, work.fetching);
    if (arrival === undefined) return false;
    try {
      await this.#unpack(layer, [early(arrival), ...whole], work);
    } catch (error) {
      // Who fetched it may have had another credential, or have gone.
      if (arrival.failed) return false;
      throw error;
    }
    // It is the snapshot that came first; now its content has to be ours as well.
    await work.fetching;
    return true;
  }

  async #unpack(
    layer: LayerToUnpack,
    ways: readonly ApplyLayer[],
    { lease, signal, onUnpacked }: Work,
  ): Promise<void> {
    const { snapshots } = this.#options;
    const waiter = { signal, onProgress: (bytes: number) => onUnpacked(layer.chainId, bytes) };
    for (;;) {
      const result = { made: false };
      await this.#join(this.#unpacks, layer.chainId, waiter, async (shared, report) => {
        const options = { lease: lease.id, signal: shared, onProgress: report };
        result.made = await snapshots.make(layer, ways, options);
      });
      if (result.made) return;
      // It is another's, whose lease may end any time.
      await lease.protect({ id: layer.chainId, type: snapshots.resourceType }, { signal });
      if (await snapshots.has(layer.chainId, { signal })) return;
    }
  }

  /** Brings one content here, or sees that it is; either way with these labels and kept by the lease. */
  async #fetch(descriptor: Descriptor, work: Work, labels: Labels): Promise<void> {
    const { lease, signal, source, onEvent, reference } = work;
    const { connection, content } = this.#options;
    const onProgress = (coming: Coming): void => onEvent({ ...coming, descriptor });
    for (;;) {
      if (await this.#keep(descriptor, work, labels)) {
        return onEvent({ type: "done", descriptor, outcome: "exists" });
      }
      const result: { outcome: "written" | "exists" } = { outcome: "exists" };
      await this.#join(this.#fetches, descriptor.digest, { signal, onProgress }, (shared, report) =>
        this.#turns.run(async () => {
          const given = { ...labels, [sourceKey(reference)]: reference.path };
          const options = {
            lease: lease.id,
            signal: shared,
            onProgress: (bytes: number) => report({ type: "progress", bytes }),
            onAwaited: (bytes: number) => report({ type: "awaited", bytes }),
            labels: given,
          };
          result.outcome = await this.#arrivals.track(descriptor.digest, (onWritten) =>
            fetchContent(connection, content, { descriptor, source }, { ...options, onWritten }),
          );
          return result.outcome;
        }),
      );
      // What was written under our own lease, with these labels, needs no more.
      if (result.outcome === "written") return onEvent({ type: "done", descriptor, outcome: "written" });
    }
  }

  /** Leases content that is here, and adds labels that aren't there yet. False when it isn't here. */
  async #keep({ digest }: Descriptor, work: Work, labels: Labels): Promise<boolean> {
    const { reference, signal, lease } = work;
    const { content } = this.#options;
    if ((await content.info(digest, { signal })) === undefined) return false;
    await lease.protect({ id: digest, type: "content" }, { signal });
    // It may have been collected meanwhile.
    const known = (await content.info(digest, { signal }))?.labels;
    if (known === undefined) return false;
    const key = sourceKey(reference);
    const wanted = { ...labels, [key]: withRepository(known[key], reference) };
    const missing = Object.entries(wanted).filter(([name, value]) => known[name] !== value);
    return await content.label(digest, Object.fromEntries(missing), { signal });
  }

  /**
   * Does something, or waits for another pull that does it. What comes of that is to be looked at: when it failed,
   * their credential or their caller may have been at fault.
   */
  async #join<Progress, Result>(
    operations: SharedOperations<Progress, Result>,
    key: string,
    waiter: SignalOptions & { readonly onProgress?: (progress: Progress) => void },
    start: (signal: AbortSignal, report: (progress: Progress) => void) => Promise<Result>,
  ): Promise<void> {
    let mine = false;
    try {
      await operations.run(
        key,
        (signal, report) => {
          mine = true;
          return start(signal, report);
        },
        waiter,
      );
    } catch (error) {
      waiter.signal?.throwIfAborted();
      if (mine) throw error;
    }
  }
}

/** Adds up what was fetched and what was unpacked. */
function progressOf(report: (progress: PullProgress) => void): Pick<Work, "onEvent" | "onUnpacked"> {
  let latest: PullProgress = { bytes: 0, total: 0 };
  const layers = new Map<string, number>();
  const tell = (): void => {
    const unpacked = [...layers.values()].reduce((sum, bytes) => sum + bytes, 0);
    report({ ...latest, unpacked });
  };
  return {
    onEvent: countBytes((progress) => {
      latest = progress;
      tell();
    }),
    onUnpacked: (chain, bytes) => {
      layers.set(chain, bytes);
      tell();
    },
  };
}
