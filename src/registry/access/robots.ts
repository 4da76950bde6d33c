/**
 * Robots: accounts for machines, whose secrets we make and can replace without a moment in which none works.
 *
 * ```text
 * create ──► secret A ────────────────┐ overlap │
 *                       rotate ──► secret B ─────────────────►      A and B both work during the overlap
 * ```
 */
import type { Secret } from "../../internal/secret.ts";
import { RegistryError } from "../errors.ts";
import { RepositoryPattern } from "./pattern.ts";
import { ACTIONS } from "./policy.ts";
import { equalHashes, hashSecret, makeSecret, type RandomBytes } from "./secrets.ts";
import type { AccessStore, RobotGrant, RobotRecord, RobotSecret } from "./store.ts";

/** What a robot's login begins with; no user's does. */
export const ROBOT_PREFIX = "robot+";

export interface RobotOptions {
  /** What it may do, besides what policies say of `robot:NAME`. */
  readonly grants?: readonly RobotGrant[] | undefined;
  readonly groups?: readonly string[] | undefined;
  /** Milliseconds since the epoch; never by default. */
  readonly expiresAt?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined;
  readonly random?: RandomBytes | undefined;
}

export interface RotateOptions {
  /** For how many milliseconds the secret until now goes on working; a day by default. */
  readonly overlap?: number | undefined;
  /** When the robot ends from now on, in milliseconds since the epoch; as before by default. */
  readonly expiresAt?: number | undefined;
  readonly clock?: (() => number) | undefined;
  readonly random?: RandomBytes | undefined;
}

export interface RobotLogin {
  /** To log in with: `robot+NAME`. */
  readonly login: string;
  /** Shown this once; what is kept is a hash. */
  readonly secret: Secret;
  readonly robot: RobotRecord;
}

const DAY = 24 * 60 * 60 * 1_000;

/** @throws RegistryError `ACCOUNT_EXISTS`, `CONFIG_INVALID` for a name or grant that can't be */
export async function createRobot(
  store: AccessStore,
  name: string,
  options: RobotOptions = {},
): Promise<RobotLogin> {
  const fault = findRobotFault(name, options.grants ?? []);
  if (fault !== undefined) {
    throw new RegistryError("CONFIG_INVALID", `Cannot create robot ${JSON.stringify(name)}: ${fault}`);
  }
  const now = (options.clock ?? Date.now)();
  const secret = makeSecret("robot", options.random);
  const robot: RobotRecord = {
    name,
    createdAt: now,
    ...(options.expiresAt !== undefined && { expiresAt: options.expiresAt }),
    groups: options.groups ?? [],
    grants: options.grants ?? [],
    secrets: [{ hash: hashSecret(secret), createdAt: now }],
    revision: 1,
  };
  if (!(await store.addRobot(robot))) {
    const message = `Cannot create robot ${JSON.stringify(name)}: there is one; rotate its secret or delete it first`;
    throw new RegistryError("ACCOUNT_EXISTS", message);
  }
  return { login: ROBOT_PREFIX + name, secret, robot };
}

/**
 * Gives a robot a new secret. The one until now works on for `overlap`; any older one ends at once, since two are
 * the most that work.
 *
 * @throws RegistryError `ACCOUNT_UNKNOWN`, `ACCOUNT_ENDED` for one whose new secret wouldn't work
 */
export async function rotateRobot(
  store: AccessStore,
  name: string,
  options: RotateOptions = {},
): Promise<RobotLogin> {
  const secret = makeSecret("robot", options.random);
  for (;;) {
    const robot = await store.findRobot(name);
    if (robot === undefined) {
      const message = `Cannot rotate the secret of robot ${JSON.stringify(name)}: there is none of that name`;
      throw new RegistryError("ACCOUNT_UNKNOWN", message);
    }
    const now = (options.clock ?? Date.now)();
    const { expiresAt = robot.expiresAt } = options;
    if (!isCurrent({ expiresAt }, now)) {
      const message = `Cannot rotate the secret of robot ${JSON.stringify(name)}: it has ended; say when it ends next`;
      throw new RegistryError("ACCOUNT_ENDED", message);
    }
    // A secret that ended with its robot doesn't come back with it.
    const overlap = isCurrent(robot, now) ? (options.overlap ?? DAY) : 0;
    const lasting = { ...robot, ...(expiresAt !== undefined && { expiresAt }) };
    const next = withSecret(lasting, { hash: hashSecret(secret), createdAt: now }, now + overlap);
    // Somebody else's change at the same moment isn't undone: ours is made again, upon theirs.
    if (await store.replaceRobot(next)) return { login: ROBOT_PREFIX + name, secret, robot: next };
  }
}

/** Deletes a robot and all it could log in with. Whether there was one. */
export async function deleteRobot(store: AccessStore, name: string): Promise<boolean> {
  const deleted = await store.deleteRobot(name);
  await store.deleteRefreshTokens(ROBOT_PREFIX + name);
  return deleted;
}

/** The secret of a robot that this is, if it works now. Takes the same time whichever it is. */
export function findSecret(robot: RobotRecord, secret: Secret, now: number): RobotSecret | undefined {
  const hash = hashSecret(secret);
  let found: RobotSecret | undefined;
  for (const one of robot.secrets) {
    if (equalHashes(one.hash, hash) && isCurrent(one, now)) found = one;
  }
  return isCurrent(robot, now) ? found : undefined;
}

export function isCurrent(what: { readonly expiresAt?: number | undefined }, now: number): boolean {
  return what.expiresAt === undefined || now < what.expiresAt;
}

function withSecret(robot: RobotRecord, secret: RobotSecret, until: number): RobotRecord {
  const [last] = robot.secrets;
  const kept = last === undefined ? [] : [{ ...last, expiresAt: Math.min(last.expiresAt ?? until, until) }];
  return { ...robot, secrets: [secret, ...kept], revision: robot.revision + 1 };
}

function findRobotFault(name: string, grants: readonly RobotGrant[]): string | undefined {
  if (!/^[a-z0-9]+(?:(?:[._]|-+)[a-z0-9]+)*$/.test(name) || name.length > 100) {
    return 'a name is of a-z, 0-9, and ".", "_" or "-" between them';
  }
  for (const { repositories, actions } of grants) {
    for (const text of repositories) {
      const pattern = RepositoryPattern.parse(text);
      if ("fault" in pattern) return `pattern ${JSON.stringify(text)} ${pattern.fault}`;
    }
    const strange = actions.find((action) => !ACTIONS.includes(action));
    if (strange !== undefined)
      return `there is no action ${JSON.stringify(strange)}; write ${ACTIONS.join(", ")}`;
  }
  return undefined;
}
