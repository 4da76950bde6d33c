import { hash, randomBytes } from "node:crypto";

import type { Secret } from "../../internal/secret.ts";
import type { LockedOut } from "../access.ts";
import { type Account, type Accounts, provenUntil } from "./accounts.ts";
import { ExpiringCache } from "./expiring-cache.ts";
import type { Attempt, LockOut } from "./lock-out.ts";
import { hashOfNothing, type PasswordChecker } from "./passwords.ts";
import { findSecret, ROBOT_PREFIX } from "./robots.ts";

export interface Proof {
  readonly account: Account;
  /** The hash that was matched. */
  readonly credential: string;
  /** Milliseconds since the epoch. */
  readonly validUntil: number;
}

export type LoginOutcome =
  | { readonly proof: Proof }
  /** Wrong, or (with seconds) not to be tried now. */
  | { readonly proof?: undefined; readonly retryAfter?: number | undefined; readonly reason: string };

interface Known extends Proof {
  readonly generation: string | undefined;
}

export interface LoginFailed {
  readonly login: string;
  readonly address: string;
  /** Not even looked at: too many failed before. */
  readonly lockedOut: boolean;
}

export interface LoginsOptions {
  readonly accounts: Accounts;
  readonly passwords: PasswordChecker;
  readonly lockOut: LockOut | undefined;
  readonly clock: () => number;
  readonly onLoginFailed: ((event: LoginFailed) => void) | undefined;
  /** Told of every one that was checked and good. */
  readonly onLogin?: ((login: string) => void) | undefined;
}

/** How long a password that was right is taken without checking it again, in milliseconds. */
const REMEMBERED = 5 * 60_000;
const MAX_REMEMBERED = 10_000;

const WRONG: LoginOutcome = { reason: "Name or password is wrong" };

/**
 * Checks names and passwords, each pair once in a while: what was right is remembered until its account changes.
 * What is remembered is a hash under a key that exists in this process alone, so finding it is a look into a table
 * that no guess can steer.
 */
export class Logins {
  readonly #options: LoginsOptions;
  readonly #key = randomBytes(32).toString("base64");
  readonly #known = new ExpiringCache<Known>(MAX_REMEMBERED);
  /** By attempt, and by the accounts as they were when it began: one that changed since judges anew. */
  readonly #underWay = new Map<string, Promise<LoginOutcome>>();

  constructor(options: LoginsOptions) {
    this.#options = options;
  }

  /** At once for those who are known. Identical attempts at the same time are one, unless an account changed since. */
  check(login: string, password: Secret, address: string): LoginOutcome | Promise<LoginOutcome> {
    const looking = this.#options.accounts.look();
    if (looking !== undefined) return looking.then(() => this.#check(login, password, address));
    return this.#check(login, password, address);
  }

  #check(login: string, password: Secret, address: string): LoginOutcome | Promise<LoginOutcome> {
    const key = hash("sha256", `${this.#key}${login}\0${password.reveal()}`, "base64");
    const known = this.#known.find(key, this.#options.clock());
    const generation = this.#options.accounts.generation();
    if (known !== undefined && generation !== undefined && known.generation === generation) {
      return { proof: known };
    }
    const attempt = `${generation} ${key}`;
    const running = this.#underWay.get(attempt);
    if (running !== undefined) return running;
    const started = this.#decide(known, { login, password, address })
      .then((outcome) => {
        if (outcome.proof !== undefined) this.#known.set(key, { ...outcome.proof, generation });
        else this.#known.delete(key);
        return outcome;
      })
      .finally(() => this.#underWay.delete(attempt));
    this.#underWay.set(attempt, started);
    return started;
  }

  lockedOut(): readonly LockedOut[] {
    return this.#options.lockOut?.list() ?? [];
  }

  async #decide(
    known: Known | undefined,
    attempt: { readonly login: string; readonly password: Secret; readonly address: string },
  ): Promise<LoginOutcome> {
    const account = await this.#options.accounts.find(attempt.login);
    if (known !== undefined && account !== undefined) {
      const proof = this.#prove(account, known.credential, known.validUntil);
      if (proof !== undefined) return { proof };
    }
    return attempt.login.startsWith(ROBOT_PREFIX)
      ? this.#checkRobot(account, attempt)
      : await this.#checkUser(account, attempt);
  }

  /** A robot's secret can't be guessed, so the right one is taken even while others are held off. */
  #checkRobot(
    account: Account | undefined,
    {
      login,
      password,
      address,
    }: { readonly login: string; readonly password: Secret; readonly address: string },
  ): LoginOutcome {
    const now = this.#options.clock();
    if (account?.proof.kind === "secrets") {
      const secret = findSecret(account.proof.robot, password, now);
      const proof = secret === undefined ? undefined : this.#prove(account, secret.hash, now + REMEMBERED);
      if (proof !== undefined) {
        this.#options.onLogin?.(login);
        return { proof };
      }
    }
    const attempt = this.#begin(login, address);
    if (attempt !== undefined && "wait" in attempt) return tooMany(attempt.wait);
    this.#failed(login, address);
    return WRONG;
  }

  async #checkUser(
    account: Account | undefined,
    {
      login,
      password,
      address,
    }: { readonly login: string; readonly password: Secret; readonly address: string },
  ): Promise<LoginOutcome> {
    const { accounts, passwords, clock } = this.#options;
    const attempt = this.#begin(login, address);
    if (attempt !== undefined && "wait" in attempt) return tooMany(attempt.wait);
    // Who isn't there takes as long to refuse as who is.
    const hash = account?.proof.kind === "password" ? account.proof.hash : hashOfNothing(accounts.cost);
    const matches = await passwords.check(password, hash);
    if (matches === undefined) {
      attempt?.cancel();
      return { retryAfter: 1, reason: "Too many logins at once; come again in a moment" };
    }
    const proof =
      matches && account !== undefined ? this.#prove(account, hash, clock() + REMEMBERED) : undefined;
    if (proof !== undefined) {
      attempt?.succeed();
      this.#options.onLogin?.(login);
      return { proof };
    }
    this.#failed(login, address);
    return WRONG;
  }

  #prove(account: Account, credential: string, until: number): Proof | undefined {
    const proven = provenUntil(account, credential, this.#options.clock());
    return proven === undefined ? undefined : { account, credential, validUntil: Math.min(proven, until) };
  }

  #begin(login: string, address: string): Attempt | { readonly wait: number } | undefined {
    const attempt = this.#options.lockOut?.begin(address, login);
    if (attempt !== undefined && "wait" in attempt) {
      this.#options.onLoginFailed?.({ login, address, lockedOut: true });
    }
    return attempt;
  }

  #failed(login: string, address: string): void {
    this.#options.onLoginFailed?.({ login, address, lockedOut: false });
  }
}

function tooMany(wait: number): LoginOutcome {
  const retryAfter = Math.max(1, Math.ceil(wait / 1_000));
  return { retryAfter, reason: "Too many logins failed; come again later" };
}
