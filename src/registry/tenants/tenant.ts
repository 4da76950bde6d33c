/**
 * A tenant: everything in a registry below one name, the two robots that may use it, and the namespaces of a cluster
 * that hold their secrets.
 *
 * ```text
 * acme ─┬─ repositories   acme/…                 up to its quota
 *       ├─ robot+acme        pulls and pushes    for people, pipelines, and namespaces that build
 *       ├─ robot+acme.pull   pulls               for the Pods of its namespaces
 *       └─ namespaces     shop, shop-staging
 * ```
 *
 * What is done to a tenant takes several steps in several places, and whoever does it may be killed between any two
 * of them. So its record says first what is to be done, and the next run goes on from wherever the last one ended:
 *
 * ```text
 * create ─┐
 * rotate ─┴─▶ issue ─────▶ every robot has a new secret, the old ones work on
 *                          every namespace has it, and was asked again; the new login was shown
 *             retire ────▶ the old secrets end, when the overlap is over
 *             (nothing under way)
 * delete ───▶ remove ────▶ out of the namespaces, robots gone, images gone if asked for
 *             (no record, or one that guards the images that were kept)
 * ```
 */
import { RegistryError } from "../errors.ts";
import type { RobotGrant } from "../access/store.ts";

export const TENANT_USES = ["pull", "push"] as const;

/** What a login is for. */
export type TenantUse = (typeof TENANT_USES)[number];

export interface TenantNamespace {
  readonly name: string;
  /** Whether it also holds the login that pushes, for builds. */
  readonly pushes: boolean;
}

/** What all repositories of a tenant together may hold. */
export interface TenantQuota {
  readonly maxBytes?: number | undefined;
  readonly maxTags?: number | undefined;
}

/** The cluster with the tenant's namespaces, as this machine reaches it. */
export interface TenantCluster {
  /** A file on this machine. */
  readonly kubeconfig: string;
  readonly context?: string | undefined;
}

/** Hashes of secrets. */
export type TenantHashes = Readonly<Partial<Record<TenantUse, string>>>;

/** What is under way, and how far it came. */
export type TenantChange =
  | {
      readonly kind: "create" | "rotate";
      readonly step: "issue";
      readonly startedAt: number;
      /** The secrets that were the newest before this began. */
      readonly settled: TenantHashes;
    }
  | {
      readonly kind: "create" | "rotate";
      readonly step: "retire";
      readonly startedAt: number;
      /** The secrets that every namespace has now. */
      readonly issued: TenantHashes;
      /** When all others end; milliseconds since the epoch. */
      readonly until: number;
    }
  | {
      readonly kind: "delete";
      readonly step: "remove";
      readonly startedAt: number;
      readonly images: "keep" | "delete";
    };

export interface TenantRecord {
  /** A DNS label, and what the names of all its repositories begin with. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Host and port, as Pods call the registry. */
  readonly registry: string;
  readonly quota: TenantQuota;
  /** Whether the login that pushes may also delete. */
  readonly deletes: boolean;
  readonly namespaces: readonly TenantNamespace[];
  /** Absent where Secrets are printed, for somebody else to apply. */
  readonly cluster?: TenantCluster | undefined;
  readonly change?: TenantChange | undefined;
  /** When its logins were last replaced. */
  readonly rotatedAt?: number | undefined;
  /** The tenant is gone, and its images were to stay: nobody's, until somebody says whose they are. */
  readonly deletedAt?: number | undefined;
  /** Goes up with every change. */
  readonly revision: number;
}

/** @throws RegistryError `TENANT_INVALID` */
export function checkTenantName(name: string): void {
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return;
  const how = 'a name is of a-z, 0-9 and "-" between them, and of 63 characters at most';
  throw new RegistryError("TENANT_INVALID", `Cannot call a tenant ${JSON.stringify(name)}: ${how}`);
}

/** As policies and `createRobot` call it. No tenant has a dot in its name, so none has another one's robot. */
export function tenantRobot(tenant: string, use: TenantUse): string {
  return use === "push" ? tenant : `${tenant}.pull`;
}

/** What a tenant's robots belong to: policies may name it, and no robot made by hand is taken for one of them. */
export function tenantGroup(tenant: string): string {
  return `tenant:${tenant}`;
}

export function tenantGrants(
  { name, deletes }: Pick<TenantRecord, "name" | "deletes">,
  use: TenantUse,
): readonly RobotGrant[] {
  const actions: RobotGrant["actions"] =
    use === "pull" ? ["pull"] : ["pull", "push", ...(deletes ? (["delete"] as const) : [])];
  return [{ repositories: [`${name}/**`], actions }];
}

/** Which logins a namespace holds. */
export function usesOf({ pushes }: TenantNamespace): readonly TenantUse[] {
  return pushes ? TENANT_USES : ["pull"];
}

/** The tenant whose repository this is, if it is one's. */
export function tenantOf(repository: string): string {
  const slash = repository.indexOf("/");
  return slash < 0 ? repository : repository.slice(0, slash);
}
