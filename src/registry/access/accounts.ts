import type { HtpasswdFile } from "./htpasswd.ts";
import { costOf } from "./passwords.ts";
import { RepositoryPattern } from "./pattern.ts";
import type { Caller, Grant } from "./policy.ts";
import { isCurrent, ROBOT_PREFIX } from "./robots.ts";
import type { AccessStore, RobotGrant, RobotRecord } from "./store.ts";

/** Somebody who can log in. */
export interface Account {
  /** A user's name, or `robot+NAME`. */
  readonly login: string;
  readonly caller: Caller;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number | undefined;
  readonly proof:
    | { readonly kind: "password"; readonly hash: string }
    | { readonly kind: "secrets"; readonly robot: RobotRecord };
}

export interface AccountsOptions {
  readonly store: AccessStore;
  readonly htpasswd: HtpasswdFile | undefined;
  /** Names of groups by member: `alice`, `robot:ci`. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  readonly clock: () => number;
}

const DEFAULT_COST = 10;

/** Everybody who can log in, wherever they are kept. */
export class Accounts {
  readonly #options: AccountsOptions;
  #costSeen = 0;

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  /**
   * Resolves when it is known what files say now, where it is time to look at them: nobody is let in by what was
   * remembered from before. `undefined` when there is nothing to wait for.
   */
  look(): Promise<void> | undefined {
    return this.#options.htpasswd?.look();
  }

  /** Another text whenever an account may have changed; `undefined` when nobody can tell. */
  generation(): string | undefined {
    const { store, htpasswd } = this.#options;
    const stored = store.generation();
    return stored === undefined ? undefined : `${htpasswd?.version ?? 0} ${stored}`;
  }

  /** As slow as the slowest check of a password that there is. */
  get cost(): number {
    return Math.max(this.#costSeen, this.#options.htpasswd?.cost ?? 0) || DEFAULT_COST;
  }

  /** Expired ones count as unknown. */
  async find(login: string): Promise<Account | undefined> {
    return login.startsWith(ROBOT_PREFIX)
      ? await this.#findRobot(login.slice(ROBOT_PREFIX.length))
      : await this.#findUser(login);
  }

  async #findUser(name: string): Promise<Account | undefined> {
    const { htpasswd, store, groups } = this.#options;
    if (name === "") return undefined;
    await htpasswd?.look();
    const listed = htpasswd?.find(name);
    const stored = listed === undefined ? await store.findUser(name) : undefined;
    const hash = listed ?? stored?.passwordHash;
    if (hash === undefined) return undefined;
    this.#costSeen = Math.max(this.#costSeen, costOf(hash));
    const all = [...(groups.get(name) ?? []), ...(stored?.groups ?? [])];
    return { login: name, caller: { kind: "user", name, groups: all }, proof: { kind: "password", hash } };
  }

  async #findRobot(name: string): Promise<Account | undefined> {
    const { store, groups, clock } = this.#options;
    const robot = await store.findRobot(name);
    if (robot === undefined || !isCurrent(robot, clock())) return undefined;
    const all = [...(groups.get(`robot:${name}`) ?? []), ...robot.groups];
    return {
      login: ROBOT_PREFIX + name,
      caller: { kind: "robot", name, groups: all, grants: robot.grants.map(compileGrant) },
      expiresAt: robot.expiresAt,
      proof: { kind: "secrets", robot },
    };
  }
}

/** Until when this hash, which proved an account once, still does; `undefined` when it no longer does. */
export function provenUntil(account: Account, credential: string, now: number): number | undefined {
  const { proof, expiresAt = Number.POSITIVE_INFINITY } = account;
  if (proof.kind === "password") return proof.hash === credential ? expiresAt : undefined;
  const secret = proof.robot.secrets.find((one) => one.hash === credential);
  if (secret === undefined || !isCurrent(secret, now)) return undefined;
  return Math.min(expiresAt, secret.expiresAt ?? Number.POSITIVE_INFINITY);
}

/** What was stored has been checked before; a pattern that a newer dray wrote matches nothing. */
function compileGrant(grant: RobotGrant): Grant {
  const patterns = grant.repositories.map((text) => RepositoryPattern.parse(text));
  return { repositories: patterns.filter((one) => one instanceof RepositoryPattern), actions: grant.actions };
}
