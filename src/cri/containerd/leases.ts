/**
 * Leases keep what a pull brings from being collected until the image's names do.
 *
 * ```text
 * begin ─► pull ─► done: the lease goes, the names keep everything
 *            └───► cut: it is kept for a while, and a pull of the same image goes on with it
 * ```
 *
 * A lease names the file its process holds locked. Whoever starts and finds leases whose file nobody holds any more
 * takes them over: what a kill or a restart left is found by the next pull, and goes when none comes. Where no dray
 * comes back, containerd ends the lease itself.
 */
import { randomUUID } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";

import { FileLock } from "../../internal/file-lock.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import type { SignalOptions } from "../../oci/index.ts";
import type { Resource } from "../generated/containerd/leases_v1_pb.ts";
import type { ContainerdConnection } from "./connection.ts";
import { attempt, unlessExists, unlessMissing } from "./failures.ts";
import { EXPIRE } from "./labels.ts";

const PULL = "dev.dray.pull";
const LOCK = "dev.dray.lock";
const DAY = 24 * 60 * 60 * 1000;

export interface PullLeasesOptions {
  readonly connection: ContainerdConnection;
  /** Where the file is that tells others this process lives. */
  readonly folder: string;
  /** Milliseconds for which what a cut pull brought is kept. */
  readonly keep: number;
  readonly now: () => number;
  /** Removes a snapshot that isn't finished. */
  readonly dropSnapshot: (resource: Pick<Resource, "id" | "type">) => Promise<void>;
}

export interface PullLease {
  readonly id: string;
  /** Keeps something that is here; what is made under the lease is kept anyway. */
  protect(resource: Pick<Resource, "id" | "type">, options?: SignalOptions): Promise<void>;
  /** The names keep everything now. `sync` has what nobody keeps freed before it resolves. */
  done(options?: { readonly sync: boolean }): Promise<void>;
  /** The pull was cut. */
  cut(): void;
}

interface Kept {
  readonly id: string;
  readonly timer: NodeJS.Timeout;
}

export class PullLeases implements AsyncDisposable {
  readonly #options: PullLeasesOptions;
  readonly #lockPath: string;
  readonly #lock: FileLock;
  /** By what was pulled: leases of cut pulls. */
  readonly #kept = new Map<string, Kept[]>();

  constructor(options: PullLeasesOptions) {
    this.#options = options;
    makeFolder(options.folder, { mode: 0o700 });
    this.#lockPath = join(options.folder, `${randomUUID()}.lock`);
    const lock = FileLock.tryAcquire(this.#lockPath);
    if (lock === undefined) throw new Error(`Cannot lock ${JSON.stringify(this.#lockPath)}`);
    this.#lock = lock;
  }

  /** A lease for a pull of this target: what a cut one left, or a new one. */
  async begin(target: string, options: SignalOptions = {}): Promise<PullLease> {
    const id = this.#takeKept(target) ?? (await this.#create(target, options));
    let ended = false;
    return {
      id,
      protect: (resource, given) => this.#protect(id, [resource], given),
      done: async ({ sync } = { sync: false }) => {
        ended = true;
        await this.#delete(id, sync);
      },
      cut: () => {
        if (!ended) this.#keep(target, id);
        ended = true;
      },
    };
  }

  /** Takes over what processes left that live no more. Returns how many leases those were. */
  async adopt(options: SignalOptions = {}): Promise<number> {
    const { leases, call } = this.#options.connection;
    const filters = [`labels.${JSON.stringify(PULL)}`];
    const found = await attempt("list containerd's leases", leases.list({ filters }, call(options)));
    let adopted = 0;
    for (const { id, labels } of found.leases) {
      const path = labels[LOCK] ?? "";
      if (path === this.#lockPath || !existsSync(path) || !isFree(path)) continue;
      await this.#adopt(id, labels[PULL] ?? "", options);
      adopted++;
    }
    const stale = new Set(found.leases.map(({ labels }) => labels[LOCK] ?? ""));
    for (const path of stale) if (path !== this.#lockPath && existsSync(path) && isFree(path)) rmSync(path);
    return adopted;
  }

  /** What cut pulls left stays for whoever starts next: a node's restart shouldn't cost it what it fetched. */
  async [Symbol.asyncDispose](): Promise<void> {
    const kept = [...this.#kept.values()].flat();
    this.#kept.clear();
    for (const { timer } of kept) clearTimeout(timer);
    this.#lock.release();
    if (kept.length === 0) rmSync(this.#lockPath, { force: true });
  }

  async #create(target: string, options: SignalOptions): Promise<string> {
    const { connection, now } = this.#options;
    const id = `dray-${randomUUID()}`;
    const labels = {
      [PULL]: target,
      [LOCK]: this.#lockPath,
      [EXPIRE]: new Date(now() + DAY).toISOString(),
    };
    // Not cut off by the signal: containerd may make a lease that nobody waits for any more.
    await attempt("lease content", connection.leases.create({ id, labels }, connection.call()));
    if (options.signal?.aborted === true) {
      await this.#delete(id);
      options.signal.throwIfAborted();
    }
    return id;
  }

  /** Everything goes over to a lease of our own, since labels of leases can't be changed. */
  async #adopt(old: string, target: string, options: SignalOptions): Promise<void> {
    const { leases, call } = this.#options.connection;
    const listed = await attempt(
      "read a lease",
      unlessMissing(leases.listResources({ id: old }, call(options))),
    );
    const resources: Resource[] = [];
    for (const resource of listed?.resources ?? []) {
      // Half a snapshot is of no use to anybody; what is whole goes by its chain's digest.
      const half = resource.type.startsWith("snapshots/") && !/^sha256:[0-9a-f]{64}$/.test(resource.id);
      if (half) await this.#options.dropSnapshot(resource);
      else resources.push(resource);
    }
    if (resources.length > 0) {
      const id = await this.#create(target, options);
      await this.#protect(id, resources, options);
      this.#keep(target, id);
    }
    await this.#delete(old);
  }

  async #protect(
    id: string,
    resources: readonly Pick<Resource, "id" | "type">[],
    options: SignalOptions = {},
  ): Promise<void> {
    const { leases, call } = this.#options.connection;
    for (const resource of resources) {
      const request = { id, resource: { id: resource.id, type: resource.type } };
      await attempt("lease content", unlessExists(leases.addResource(request, call(options))));
    }
  }

  #keep(target: string, id: string): void {
    const timer = setTimeout(() => {
      this.#forget(target, id);
      void this.#delete(id).catch(() => {});
    }, this.#options.keep);
    timer.unref();
    this.#kept.set(target, [...(this.#kept.get(target) ?? []), { id, timer }]);
  }

  #takeKept(target: string): string | undefined {
    const kept = this.#kept.get(target)?.at(-1);
    if (kept === undefined) return undefined;
    clearTimeout(kept.timer);
    this.#forget(target, kept.id);
    return kept.id;
  }

  #forget(target: string, id: string): void {
    const rest = (this.#kept.get(target) ?? []).filter((kept) => kept.id !== id);
    if (rest.length === 0) this.#kept.delete(target);
    else this.#kept.set(target, rest);
  }

  async #delete(id: string, sync = false): Promise<void> {
    const { leases, call } = this.#options.connection;
    await attempt("end a lease", unlessMissing(leases.delete({ id, sync }, call())));
  }
}

function isFree(path: string): boolean {
  const lock = FileLock.tryAcquire(path);
  lock?.release();
  return lock !== undefined;
}
