import type { SignalOptions } from "../../oci/index.ts";
import { type Info, Kind } from "../generated/containerd/snapshots_v1_pb.ts";
import type { FileSystemUsage } from "../image-backend.ts";
import type { ContainerdConnection } from "./connection.ts";
import { attempt, unlessMissing } from "./failures.ts";

interface Usage {
  readonly bytes: number;
  readonly inodes: number;
}

export interface SnapshotUsageOptions {
  readonly connection: ContainerdConnection;
  readonly snapshotter: string;
  /** The snapshotter's own folder. */
  readonly mountpoint: () => Promise<string>;
  readonly now: () => number;
}

/** Milliseconds for which a sum holds; containerd's own CRI plugin measures every ten seconds. */
const FRESH = 10_000;

/** What all snapshots take up together. A finished one is measured once. */
export class SnapshotUsage {
  readonly #options: SnapshotUsageOptions;
  #finished = new Map<string, Usage>();
  #latest: FileSystemUsage | undefined;
  #dirty = false;

  constructor(options: SnapshotUsageOptions) {
    this.#options = options;
  }

  /** Something was added or removed: the next question is answered by measuring. */
  changed(): void {
    this.#dirty = true;
  }

  async measure(options: SignalOptions = {}): Promise<FileSystemUsage> {
    const { now, mountpoint } = this.#options;
    const measuredAt = now();
    if (this.#latest !== undefined && !this.#dirty && measuredAt - this.#latest.measuredAt < FRESH) {
      return this.#latest;
    }
    this.#dirty = false;
    const finished = new Map<string, Usage>();
    let [usedBytes, inodesUsed] = [0, 0];
    for (const { name, kind } of await this.#list(options)) {
      const known = kind === Kind.COMMITTED ? this.#finished.get(name) : undefined;
      const usage = known ?? (await this.#ask(name, options));
      if (usage === undefined) continue;
      if (kind === Kind.COMMITTED) finished.set(name, usage);
      usedBytes += usage.bytes;
      inodesUsed += usage.inodes;
    }
    this.#finished = finished;
    this.#latest = { measuredAt, mountpoint: await mountpoint(), usedBytes, inodesUsed };
    return this.#latest;
  }

  async #list(options: SignalOptions): Promise<readonly Info[]> {
    const { connection, snapshotter } = this.#options;
    const found: Info[] = [];
    const read = async (): Promise<void> => {
      for await (const { info } of connection.snapshots.list({ snapshotter }, connection.call(options))) {
        found.push(...info);
      }
    };
    await attempt("list snapshots", read());
    return found;
  }

  /** `undefined` for one that went away meanwhile. */
  async #ask(key: string, options: SignalOptions): Promise<Usage | undefined> {
    const { connection, snapshotter } = this.#options;
    const call = connection.snapshots.usage({ snapshotter, key }, connection.call(options));
    const usage = await attempt("measure a snapshot", unlessMissing(call));
    return usage && { bytes: Number(usage.size), inodes: Number(usage.inodes) };
  }
}
