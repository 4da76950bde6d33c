/** What a registry has to know of its tenants with every request, whichever process changes them. */
import {
  type AccessControl,
  accessBy,
  allowAll,
  type Authorize,
  type LockedOut,
  type RepositoryView,
} from "../access.ts";
import type { Quota } from "../limits.ts";
import type { RegistryRequest, RegistryResponse } from "../request.ts";
import { listTenants, type TenantStore } from "./store.ts";
import { tenantOf } from "./tenant.ts";

/** Everything about tenants that requests ask for, as it was at the last `refresh()`. */
export class TenantMemory {
  readonly #store: TenantStore;
  #generation: string | undefined;
  #quotas: ReadonlyMap<string, Quota> = new Map();
  #any = false;
  #reading: Promise<void> | undefined;

  constructor(store: TenantStore) {
    this.#store = store;
  }

  /** Whether anybody is a tenant, or left images that shall be nobody's. */
  get any(): boolean {
    return this.#any;
  }

  /** What bounds a repository together with all others of its tenant. */
  quotasFor(repository: string): readonly Quota[] {
    const quota = this.#quotas.get(tenantOf(repository));
    return quota === undefined ? [] : [quota];
  }

  /** Nothing to wait for unless somebody changed something. */
  refresh(): Promise<void> | undefined {
    const generation = this.#store.generation();
    if (generation === this.#generation) return undefined;
    return (this.#reading ??= this.#read(generation).finally(() => (this.#reading = undefined)));
  }

  async #read(generation: string): Promise<void> {
    const quotas = new Map<string, Quota>();
    let any = false;
    for await (const { name, quota } of listTenants(this.#store)) {
      any = true;
      const { maxBytes, maxTags } = quota;
      if (maxBytes === undefined && maxTags === undefined) continue;
      quotas.set(name, { name, below: true, maxBytes, maxTags });
    }
    this.#quotas = quotas;
    this.#any = any;
    this.#generation = generation;
  }
}

export interface GuardOptions {
  readonly memory: TenantMemory;
  /** Decides always; without it everybody may do everything until somebody is a tenant. */
  readonly access?: AccessControl | undefined;
  /** What decides from then on, where `access` isn't given. Opened when it is first needed. */
  readonly openClosed: () => Promise<AccessControl>;
}

/** Access control for a registry that may have tenants, or get some while it runs. */
export function guardTenants({ memory, access, openClosed }: GuardOptions): AccessControl {
  return new TenantGuard(memory, access, openClosed);
}

class TenantGuard implements AccessControl {
  readonly #memory: TenantMemory;
  readonly #access: AccessControl | undefined;
  readonly #openClosed: () => Promise<AccessControl>;
  readonly #open = accessBy(allowAll);
  #opening: Promise<AccessControl> | undefined;
  #closed: AccessControl | undefined;

  constructor(
    memory: TenantMemory,
    access: AccessControl | undefined,
    openClosed: () => Promise<AccessControl>,
  ) {
    this.#memory = memory;
    this.#access = access;
    this.#openClosed = openClosed;
  }

  readonly authorize: Authorize = (request, wanted) => {
    // Quotas bound what is pushed, and whose word counts is settled: nothing of tenants is needed to read.
    if (this.#access !== undefined && (request.method === "GET" || request.method === "HEAD")) {
      return this.#access.authorize(request, wanted);
    }
    const access = this.#current();
    return access instanceof Promise
      ? access.then((one) => one.authorize(request, wanted))
      : access.authorize(request, wanted);
  };

  viewFor(request: RegistryRequest): RepositoryView | Promise<RepositoryView> {
    const access = this.#current();
    return access instanceof Promise ? access.then((one) => one.viewFor(request)) : access.viewFor(request);
  }

  serve(request: RegistryRequest): Promise<RegistryResponse | undefined> | undefined {
    const access = this.#current();
    return access instanceof Promise ? access.then((one) => one.serve?.(request)) : access.serve?.(request);
  }

  lockedOut(): readonly LockedOut[] {
    return (this.#access ?? this.#closed)?.lockedOut?.() ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#opening?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }

  #current(): AccessControl | Promise<AccessControl> {
    const reading = this.#memory.refresh();
    // Asked again: what was just read may have changed since.
    return reading === undefined ? this.#choose() : reading.then(() => this.#current());
  }

  #choose(): AccessControl | Promise<AccessControl> {
    if (this.#access !== undefined) return this.#access;
    if (!this.#memory.any) return this.#open;
    return this.#closed ?? this.#close();
  }

  async #close(): Promise<AccessControl> {
    this.#opening ??= this.#openClosed();
    try {
      return (this.#closed = await this.#opening);
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }
}
