import type { NamePage } from "../access/store.ts";
import { pages } from "../pages.ts";
import type { TenantRecord } from "./tenant.ts";

/**
 * Who the tenants are. Every method is one transaction that other processes on the same data see whole or not at
 * all, and what it reports as done is durable. No secret is kept here.
 */
export interface TenantStore extends AsyncDisposable {
  find(name: string): Promise<TenantRecord | undefined>;
  /** Whether there was none of that name. */
  add(tenant: TenantRecord): Promise<boolean>;
  /** Whether the tenant was still at the revision before this one, so that of two changes at once none is lost. */
  replace(tenant: TenantRecord): Promise<boolean>;
  /** Whether there was one at that revision. */
  delete(name: string, revision: number): Promise<boolean>;
  list(page: NamePage): Promise<readonly TenantRecord[]>;
  /** Another text after every change, by whichever process, so that whoever remembers tenants can ask before each use. */
  generation(): string;
}

export function listTenants(store: TenantStore): AsyncGenerator<TenantRecord, void> {
  return pages(
    (page) => store.list(page),
    ({ name }) => name,
  );
}
