/** Makes tenants and gives them new logins, so that there is no moment in which none works; see `tenant.ts`. */
import { RegistryError } from "../errors.ts";
import { hashSecret, type RandomBytes } from "../access/secrets.ts";
import type { AccessStore } from "../access/store.ts";
import type { TenantDelivery, TenantLogin, TenantLogins } from "./delivery.ts";
import { addTenantSecret, findTenantRobot, retireTenantSecrets, type RobotContext } from "./robots.ts";
import type { TenantStore } from "./store.ts";
import { checkTenantName, TENANT_USES, tenantRobot, usesOf } from "./tenant.ts";
import type {
  TenantChange,
  TenantHashes,
  TenantNamespace,
  TenantQuota,
  TenantRecord,
  TenantUse,
} from "./tenant.ts";

export interface TenantStores {
  readonly tenants: TenantStore;
  readonly access: AccessStore;
}

export interface RenewOptions {
  /** Where the namespaces are; without it, whoever is handed the logins brings them there. */
  readonly delivery?: TenantDelivery | undefined;
  /** Asks the registry whether it takes a login, before anybody depends on it. */
  readonly check?: ((login: TenantLogin) => Promise<void>) | undefined;
  /** Given the new logins once every namespace has them, and before the old ones begin to end. */
  readonly hand: (logins: TenantLogins, tenant: TenantRecord) => Promise<void>;
  /** For how many milliseconds old secrets work on after that; a day by default. */
  readonly overlap?: number | undefined;
  /** Told of namespaces that aren't there any more. */
  readonly onGone?: ((namespace: TenantNamespace) => void) | undefined;
  /** Milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined;
  readonly random?: RandomBytes | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a tenant is to be. */
export type TenantDraft = Pick<
  TenantRecord,
  "name" | "registry" | "quota" | "deletes" | "namespaces" | "cluster"
>;

const DAY = 24 * 60 * 60 * 1_000;
/** Somebody who undoes what was delivered as often as this doesn't want it. */
const ROUNDS = 3;

/**
 * Makes a tenant, or goes on making it where an earlier attempt ended before its time. Images that a tenant of this
 * name left are its own.
 *
 * @throws RegistryError `TENANT_INVALID`, `TENANT_EXISTS`, `TENANT_BUSY`, `ACCOUNT_EXISTS`
 */
export async function createTenant(
  stores: TenantStores,
  draft: TenantDraft,
  options: RenewOptions,
): Promise<TenantRecord> {
  const { name } = draft;
  checkTenantName(name);
  const now = (options.clock ?? Date.now)();
  const known = await stores.tenants.find(name);
  for (const use of TENANT_USES) await findTenantRobot(stores, name, use);
  const change = { kind: "create", step: "issue", startedAt: now, settled: {} } as const;
  if (known === undefined) {
    const tenant: TenantRecord = { ...draft, createdAt: now, change, revision: 1 };
    if (!(await stores.tenants.add(tenant))) throw changedMeanwhile(name);
    return await renew(stores, tenant, options);
  }
  if (known.deletedAt !== undefined) {
    const { deletedAt: _left, ...rest } = known;
    return await renew(stores, await write(stores, { ...rest, ...draft, createdAt: now, change }), options);
  }
  if (known.change?.kind !== "create") {
    const how = known.change?.kind === "delete" ? "it is being deleted" : "there is one";
    throw new RegistryError("TENANT_EXISTS", `Cannot create tenant ${JSON.stringify(name)}: ${how}`);
  }
  const resumed = known.change.step === "retire" ? known : await write(stores, { ...known, ...draft });
  return await renew(stores, resumed, options);
}

/**
 * Gives a tenant new logins, or goes on with it where an earlier attempt ended before its time.
 *
 * @param changes what else is to be otherwise from now on
 * @throws RegistryError `TENANT_UNKNOWN`, `TENANT_BUSY`
 */
export async function rotateTenant(
  stores: TenantStores,
  name: string,
  options: RenewOptions & {
    readonly changes?: Partial<Pick<TenantRecord, "namespaces" | "cluster" | "registry">> | undefined;
  },
): Promise<TenantRecord> {
  let tenant = await getTenant(stores.tenants, name);
  if (tenant.change?.kind === "delete") {
    throw new RegistryError(
      "TENANT_BUSY",
      `Cannot rotate the logins of tenant ${JSON.stringify(name)}: it is being deleted`,
    );
  }
  // Those logins were handed over; whoever asks again wants others.
  if (tenant.change?.step === "retire") tenant = await renew(stores, tenant, options);
  const begun = tenant.change?.step === "issue" ? tenant.change : undefined;
  const change: TenantChange = {
    kind: begun?.kind ?? "rotate",
    step: "issue",
    startedAt: (options.clock ?? Date.now)(),
    settled: begun?.settled ?? (await newest(stores, name)),
  };
  tenant = await write(stores, { ...tenant, ...options.changes, change });
  return await renew(stores, tenant, options);
}

/**
 * Another quota for a tenant; registries keep to it from the next request on.
 *
 * @throws RegistryError `TENANT_UNKNOWN`, `TENANT_BUSY`
 */
export async function setTenantQuota(
  { tenants }: Pick<TenantStores, "tenants">,
  name: string,
  quota: TenantQuota,
): Promise<TenantRecord> {
  return await write({ tenants }, { ...(await getTenant(tenants, name)), quota });
}

/** @throws RegistryError `TENANT_UNKNOWN` */
export async function getTenant(tenants: TenantStore, name: string): Promise<TenantRecord> {
  const tenant = await tenants.find(name);
  if (tenant !== undefined && tenant.deletedAt === undefined) return tenant;
  const why = tenant === undefined ? "there is none of that name" : "it was deleted, and its images kept";
  throw new RegistryError("TENANT_UNKNOWN", `Cannot find tenant ${JSON.stringify(name)}: ${why}`);
}

/** Writes the next revision of a record. */
export async function write(
  { tenants }: Pick<TenantStores, "tenants">,
  tenant: TenantRecord,
): Promise<TenantRecord> {
  const next = { ...tenant, revision: tenant.revision + 1 };
  if (await tenants.replace(next)) return next;
  throw changedMeanwhile(tenant.name);
}

function changedMeanwhile(name: string): RegistryError {
  const message = `Cannot change tenant ${JSON.stringify(name)}: somebody else did at the same moment; try again`;
  return new RegistryError("TENANT_BUSY", message);
}

async function renew(
  stores: TenantStores,
  start: TenantRecord,
  options: RenewOptions,
): Promise<TenantRecord> {
  const { clock = Date.now } = options;
  const context: RobotContext = { access: stores.access, clock, random: options.random };
  let tenant = start;
  if (tenant.change?.step === "issue") {
    const logins = {
      pull: await obtain(context, tenant, "pull", options),
      push: await obtain(context, tenant, "push", options),
    };
    for (const use of TENANT_USES) await options.check?.(logins[use]);
    options.signal?.throwIfAborted();
    await deliver(tenant, logins, options);
    await options.hand(logins, tenant);
    const change: TenantChange = {
      kind: tenant.change.kind,
      step: "retire",
      startedAt: tenant.change.startedAt,
      issued: { pull: hashSecret(logins.pull.secret), push: hashSecret(logins.push.secret) },
      until: clock() + (options.overlap ?? DAY),
    };
    tenant = await write(stores, { ...tenant, change });
  }
  if (tenant.change?.step !== "retire") return tenant;
  const { issued, until } = tenant.change;
  for (const use of TENANT_USES) {
    const hash = issued[use];
    if (hash !== undefined) await retireTenantSecrets(context, tenant.name, { use, issued: hash, until });
  }
  const { change, ...rest } = tenant;
  return await write(stores, change.kind === "create" ? rest : { ...rest, rotatedAt: clock() });
}

/**
 * The login to deliver. Secrets are kept as hashes alone, so one that a killed run made is only known where it was
 * delivered; where it wasn't, another one is made. The old one works on for as long as all old ones: it may have been
 * shown to somebody.
 */
async function obtain(
  context: RobotContext,
  tenant: TenantRecord,
  use: TenantUse,
  { delivery, signal }: RenewOptions,
): Promise<TenantLogin> {
  const newestHash = (await findTenantRobot(context, tenant.name, use))?.secrets[0]?.hash;
  const settled = tenant.change?.step === "issue" ? tenant.change.settled[use] : undefined;
  if (newestHash !== undefined && newestHash !== settled && delivery !== undefined) {
    for (const namespace of tenant.namespaces) {
      if (!usesOf(namespace).includes(use)) continue;
      signal?.throwIfAborted();
      const secret = await delivery.find(namespace, use);
      if (secret !== undefined && hashSecret(secret) === newestHash) {
        return { use, login: `robot+${tenantRobot(tenant.name, use)}`, secret };
      }
    }
  }
  return await addTenantSecret(context, tenant, { use, settled });
}

/** Every namespace is tried, and asked again: one that fails keeps none of the others waiting, only the end. */
async function deliver(tenant: TenantRecord, logins: TenantLogins, options: RenewOptions): Promise<void> {
  const { delivery, onGone, signal } = options;
  if (delivery === undefined) return;
  let open = tenant.namespaces.flatMap((namespace) => usesOf(namespace).map((use) => ({ namespace, use })));
  const gone = new Set<string>();
  for (let round = 0; open.length > 0; round++) {
    const failures: unknown[] = [];
    for (const { namespace, use } of open) {
      signal?.throwIfAborted();
      try {
        const outcome = await delivery.deliver(namespace, logins[use]);
        if (outcome === "gone" && !gone.has(namespace.name)) {
          gone.add(namespace.name);
          onGone?.(namespace);
        }
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    const lacking: typeof open = [];
    for (const one of open) {
      if (gone.has(one.namespace.name)) continue;
      const found = await delivery.find(one.namespace, one.use);
      if (found?.reveal() !== logins[one.use].secret.reveal()) lacking.push(one);
    }
    const [first] = lacking;
    if (first !== undefined && round + 1 >= ROUNDS) {
      const where = `namespace ${JSON.stringify(first.namespace.name)}`;
      const message = `Cannot give tenant ${JSON.stringify(tenant.name)} its login in ${where}: somebody else keeps changing the Secret; until that ends, the old login works on`;
      throw new RegistryError("TENANT_BUSY", message);
    }
    open = lacking;
  }
}

async function newest(stores: TenantStores, name: string): Promise<TenantHashes> {
  const [pull, push] = [
    (await findTenantRobot(stores, name, "pull"))?.secrets[0]?.hash,
    (await findTenantRobot(stores, name, "push"))?.secrets[0]?.hash,
  ];
  return { ...(pull !== undefined && { pull }), ...(push !== undefined && { push }) };
}
