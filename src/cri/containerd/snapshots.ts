/**
 * Layers made snapshots of containerd's, each on top of the one before and under its chain's digest:
 *
 * ```text
 * prepare ─► apply ─► digest of what was in it checked ─► commit
 * ```
 */
import { randomBytes } from "node:crypto";

import { Code } from "@connectrpc/connect";

import type { Descriptor, Digest, SignalOptions } from "../../oci/index.ts";
import type { Mount } from "../generated/containerd/types_pb.ts";
import type { ContainerdConnection, LeasedOptions } from "./connection.ts";
import { attempt, containerdError, isCode, unlessMissing } from "./failures.ts";
import { SNAPSHOT_REF } from "./labels.ts";
import { Kind } from "../generated/containerd/snapshots_v1_pb.ts";

/** Milliseconds for tidying up, which goes on when whoever wanted the snapshot has gone. */
const TIDY = 10_000;

export interface LayerToUnpack {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly chainId: string;
  /** The chain's digest below; empty for the first. */
  readonly parent: string;
}

export interface UnpackOptions extends LeasedOptions {
  /** Some measure of how far it is, which only grows. */
  readonly onProgress: (bytes: number) => void;
}

/** Milliseconds between looks at what containerd has unpacked. */
const LOOK = 10_000;

/** Fills a prepared snapshot. Throws when what comes out isn't what the config says. */
export type ApplyLayer = (
  layer: LayerToUnpack,
  mounts: readonly Mount[],
  options: UnpackOptions,
) => Promise<"applied" | "again">;

export class LayerSnapshots {
  readonly #connection: ContainerdConnection;
  readonly snapshotter: string;

  constructor(connection: ContainerdConnection, snapshotter: string) {
    this.#connection = connection;
    this.snapshotter = snapshotter;
  }

  get resourceType(): string {
    return `snapshots/${this.snapshotter}`;
  }

  async has(name: string, options: SignalOptions = {}): Promise<boolean> {
    const { snapshots, call } = this.#connection;
    const request = { snapshotter: this.snapshotter, key: name };
    const found = await attempt(
      `look for snapshot ${JSON.stringify(name)}`,
      unlessMissing(snapshots.stat(request, call(options))),
    );
    return found?.info?.kind === Kind.COMMITTED;
  }

  /**
   * Tries the ways to fill a snapshot in order; one that answers `again` leaves it to the next, with a fresh one. False
   * when somebody else was faster: then it isn't kept by this lease.
   */
  async make(layer: LayerToUnpack, ways: readonly ApplyLayer[], options: UnpackOptions): Promise<boolean> {
    for (const apply of ways) {
      const key = `extract-dray-${randomBytes(8).toString("hex")} ${layer.chainId}`;
      const mounts = await this.#prepare(key, layer, options);
      if (mounts === undefined) return false;
      let finished = false;
      const watch = setInterval(() => void this.#look(key, options), LOOK);
      try {
        if ((await apply(layer, mounts, options)) === "again") continue;
        finished = await this.#commit(key, layer, options);
        return finished;
      } finally {
        clearInterval(watch);
        if (!finished) await this.remove(key);
      }
    }
    throw new TypeError("There is no way to fill a snapshot");
  }

  /** Never throws: what can't be removed now goes with its lease. */
  async remove(key: string): Promise<void> {
    const { snapshots, call } = this.#connection;
    const request = { snapshotter: this.snapshotter, key };
    await snapshots.remove(request, call({ signal: AbortSignal.timeout(TIDY) })).catch(() => {});
  }

  /** A snapshot that still grows is a pull that still lives. */
  async #look(key: string, { signal, onProgress }: UnpackOptions): Promise<void> {
    const { snapshots, call } = this.#connection;
    try {
      const usage = await snapshots.usage({ snapshotter: this.snapshotter, key }, call({ signal }));
      onProgress(Number(usage.size));
    } catch {
      // It is committed, or the pull has ended.
    }
  }

  /** `undefined` where the snapshot is there already. */
  async #prepare(
    key: string,
    { chainId, parent }: LayerToUnpack,
    options: LeasedOptions,
  ): Promise<readonly Mount[] | undefined> {
    const { snapshots, call } = this.#connection;
    const labels = { [SNAPSHOT_REF]: chainId };
    try {
      const request = { snapshotter: this.snapshotter, key, parent, labels };
      return (await snapshots.prepare(request, call(options))).mounts;
    } catch (error) {
      // Some snapshotters bring layers by themselves, and say so like this.
      if (isCode(error, Code.AlreadyExists) && (await this.has(chainId, options))) return undefined;
      throw containerdError("prepare a snapshot", error);
    }
  }

  /** False where somebody else was faster. */
  async #commit(key: string, { chainId }: LayerToUnpack, options: LeasedOptions): Promise<boolean> {
    const { snapshots, call } = this.#connection;
    const labels = { [SNAPSHOT_REF]: chainId };
    try {
      await snapshots.commit({ snapshotter: this.snapshotter, key, name: chainId, labels }, call(options));
      return true;
    } catch (error) {
      if (isCode(error, Code.AlreadyExists)) return false;
      throw containerdError("commit a snapshot", error);
    }
  }
}
