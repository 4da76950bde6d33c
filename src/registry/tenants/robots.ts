/** The robots of tenants: their secrets are added first and ended last, whatever happens in between. */
import { RegistryError } from "../errors.ts";
import { createRobot, isCurrent, ROBOT_PREFIX } from "../access/robots.ts";
import { hashSecret, makeSecret, type RandomBytes } from "../access/secrets.ts";
import type { AccessStore, RobotRecord } from "../access/store.ts";
import type { TenantLogin } from "./delivery.ts";
import { tenantGrants, tenantGroup, tenantRobot, type TenantRecord, type TenantUse } from "./tenant.ts";

export interface RobotContext {
  readonly access: AccessStore;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly random?: RandomBytes | undefined;
}

/** Every run that was killed leaves one that may have reached somebody; more than these nobody waits for. */
const MOST_SECRETS = 6;

/** @throws RegistryError `ACCOUNT_EXISTS` for a robot of that name which isn't this tenant's */
export async function findTenantRobot(
  { access }: Pick<RobotContext, "access">,
  tenant: string,
  use: TenantUse,
): Promise<RobotRecord | undefined> {
  const name = tenantRobot(tenant, use);
  const robot = await access.findRobot(name);
  if (robot === undefined || robot.groups.includes(tenantGroup(tenant))) return robot;
  const message = `Cannot use robot ${JSON.stringify(name)} for tenant ${JSON.stringify(tenant)}: it was made by hand; delete it or call the tenant otherwise`;
  throw new RegistryError("ACCOUNT_EXISTS", message);
}

/**
 * A further secret, beside those that work. Makes the robot where it is missing.
 *
 * @param settled the hash of the secret that everybody has
 */
export async function addTenantSecret(
  context: RobotContext,
  tenant: TenantRecord,
  { use, settled }: { readonly use: TenantUse; readonly settled: string | undefined },
): Promise<TenantLogin> {
  const { access, clock, random } = context;
  const name = tenantRobot(tenant.name, use);
  const grants = tenantGrants(tenant, use);
  for (;;) {
    const robot = await findTenantRobot(context, tenant.name, use);
    if (robot === undefined) {
      const groups = [tenantGroup(tenant.name)];
      const { login, secret } = await createRobot(access, name, { grants, groups, clock, random });
      return { use, login, secret };
    }
    const secret = makeSecret("robot", random);
    const now = clock();
    const working = robot.secrets.filter((one) => isCurrent(one, now));
    const dispensable = working.filter((one) => one.hash !== settled).slice(MOST_SECRETS - 2);
    const kept = working.filter((one) => !dispensable.includes(one));
    const secrets = [{ hash: hashSecret(secret), createdAt: now }, ...kept];
    if (await access.replaceRobot({ ...robot, grants, secrets, revision: robot.revision + 1 })) {
      return { use, login: ROBOT_PREFIX + name, secret };
    }
  }
}

/** From `until` on, nothing works that is older than the secret with this hash. */
export async function retireTenantSecrets(
  context: RobotContext,
  tenant: string,
  options: { readonly use: TenantUse; readonly issued: string; readonly until: number },
): Promise<void> {
  const { access, clock } = context;
  for (;;) {
    const robot = await findTenantRobot(context, tenant, options.use);
    const at = robot?.secrets.findIndex((one) => one.hash === options.issued) ?? -1;
    if (robot === undefined || at < 0) return;
    const now = clock();
    const secrets = robot.secrets.flatMap((one, index) => {
      if (index <= at) return [one];
      const ended = { ...one, expiresAt: Math.min(one.expiresAt ?? options.until, options.until) };
      return isCurrent(ended, now) ? [ended] : [];
    });
    if (await access.replaceRobot({ ...robot, secrets, revision: robot.revision + 1 })) return;
  }
}
