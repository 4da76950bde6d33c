/** Tenants for people and for programs; no secret of theirs is in either. */
import { type AccessStore, type RobotRecord, tenantRobot } from "../../registry/index.ts";
import type { TenantQuota, TenantRecord, TenantUsage, TenantUse } from "../../registry/index.ts";
import { formatBytes } from "../terminal/units.ts";

export type TenantState = "ready" | "creating" | "rotating" | "deleting" | "images left";

/** A tenant as `--json` has it; times are milliseconds since the epoch. */
export interface TenantView {
  readonly name: string;
  readonly state: TenantState;
  readonly registry: string;
  /** What its repositories begin with. */
  readonly prefix: string;
  /** Bytes and tags; `null` for no limit. */
  readonly quota: { readonly bytes: number | null; readonly tags: number | null };
  readonly allowDelete: boolean;
  readonly namespaces: TenantRecord["namespaces"];
  readonly cluster: { readonly kubeconfig: string; readonly context: string | null } | null;
  readonly createdAt: number;
  readonly rotatedAt: number | null;
  /** Since when something is under way that was not brought to its end; `null` when nothing is. */
  readonly changingSince: number | null;
  readonly logins: Readonly<Record<TenantUse, LoginView>>;
}

export interface LoginView {
  readonly login: string;
  /** Newest first; those that end are there for the overlap. */
  readonly secrets: readonly { readonly createdAt: number; readonly expiresAt: number | null }[];
}

export async function viewTenant(tenant: TenantRecord, access: AccessStore): Promise<TenantView> {
  const { name, registry, quota, deletes, namespaces, cluster, createdAt, rotatedAt, change } = tenant;
  const login = async (use: TenantUse): Promise<LoginView> => {
    const robot = tenantRobot(name, use);
    return { login: `robot+${robot}`, secrets: secretsOf(await access.findRobot(robot)) };
  };
  return {
    name,
    state: stateOf(tenant),
    registry,
    prefix: `${name}/`,
    quota: { bytes: quota.maxBytes ?? null, tags: quota.maxTags ?? null },
    allowDelete: deletes,
    namespaces,
    cluster:
      cluster === undefined ? null : { kubeconfig: cluster.kubeconfig, context: cluster.context ?? null },
    createdAt,
    rotatedAt: rotatedAt ?? null,
    changingSince: change?.startedAt ?? null,
    logins: { pull: await login("pull"), push: await login("push") },
  };
}

function secretsOf(robot: RobotRecord | undefined): LoginView["secrets"] {
  return (robot?.secrets ?? []).map(({ createdAt, expiresAt = null }) => ({ createdAt, expiresAt }));
}

const STATES = { create: "creating", rotate: "rotating", delete: "deleting" } as const;

function stateOf({ change, deletedAt }: TenantRecord): TenantState {
  if (change !== undefined) return STATES[change.kind];
  return deletedAt === undefined ? "ready" : "images left";
}

/** `50 GB, 1000 tags`; `anything` without a limit. */
export function describeQuota({ maxBytes, maxTags }: TenantQuota): string {
  const parts = [
    ...(maxBytes === undefined ? [] : [formatBytes(maxBytes)]),
    ...(maxTags === undefined ? [] : [`${maxTags} tags`]),
  ];
  return parts.length === 0 ? "anything" : parts.join(", ");
}

/** `1.2 GB of 50 GB` */
export function describeUsage(usage: TenantUsage, { bytes, tags }: TenantView["quota"]): readonly string[] {
  const of = (used: string, limit: string | undefined): string =>
    limit === undefined ? used : `${used} of ${limit}`;
  return [
    of(formatBytes(usage.bytes), bytes === null ? undefined : formatBytes(bytes)),
    of(`${usage.tags}`, tags === null ? undefined : `${tags}`),
  ];
}
