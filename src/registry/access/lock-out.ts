/**
 * Holds off whoever guesses passwords.
 *
 * Every attempt takes one from an allowance, and a good one puts it back; what was spent comes back one at a time.
 * There is an allowance for each address and one for each account, so neither many guesses from one place nor one
 * guess each from many places get far. An address that logged in to an account before has an allowance of its own
 * there: strangers who guess can't lock out those who know.
 */
import type { LockedOut } from "../access.ts";

export interface LockOutLimits {
  /** Wrong attempts at one account before it is locked. */
  readonly account: number;
  /** Wrong attempts from one address before it is locked. */
  readonly address: number;
  /** Milliseconds until one more attempt is allowed. */
  readonly recovery: number;
}

export const DEFAULT_LIMITS: LockOutLimits = { account: 10, address: 50, recovery: 60_000 };

/** Bounds memory: of so many addresses, accounts and pairs each, those heard of last are remembered. */
const MAX_ENTRIES = 50_000;

interface Spent {
  /** Milliseconds until all of it has come back. */
  readonly time: number;
  readonly at: number;
}

export interface Attempt {
  /** It was good: nothing was spent, and this address is known here from now on. */
  succeed(): void;
  /** It was never decided: nothing was spent. */
  cancel(): void;
}

export class LockOut {
  readonly #limits: LockOutLimits;
  readonly #clock: () => number;
  readonly #spent = new Map<string, Spent>();
  readonly #acquainted = new Map<string, true>();

  constructor(limits: LockOutLimits, clock: () => number) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Begins an attempt, or says for how many milliseconds there may be none. */
  begin(address: string, account: string): Attempt | { readonly wait: number } {
    const pair = `${address} ${account}`;
    const keys: readonly (readonly [string, number])[] = [
      [`address ${address}`, this.#limits.address],
      // Counted before the answer is known: a thousand guesses sent at once are a thousand.
      [this.#acquainted.has(pair) ? `pair ${pair}` : `account ${account}`, this.#limits.account],
    ];
    const wait = Math.max(...keys.map(([key, limit]) => this.#waitFor(key, limit)));
    if (wait > 0) return { wait };
    for (const [key] of keys) this.#add(key, 1);
    const cancel = (): void => {
      for (const [key] of keys) this.#add(key, -1);
    };
    return {
      cancel,
      succeed: () => {
        cancel();
        remember(this.#acquainted, pair, true);
      },
    };
  }

  /** Those that have to wait now, longest first. */
  list(): readonly LockedOut[] {
    const found: LockedOut[] = [];
    for (const key of this.#spent.keys()) {
      const space = key.indexOf(" ");
      const kind = key.slice(0, space);
      // An account that one address alone may not try is open to all others.
      if (kind !== "address" && kind !== "account") continue;
      const wait = this.#waitFor(key, this.#limits[kind]);
      if (wait > 0) found.push({ kind, name: key.slice(space + 1), wait });
    }
    return found.toSorted((a, b) => b.wait - a.wait);
  }

  #waitFor(key: string, limit: number): number {
    return Math.max(0, this.#time(key) - (limit - 1) * this.#limits.recovery);
  }

  #time(key: string): number {
    const spent = this.#spent.get(key);
    return spent === undefined ? 0 : Math.max(0, spent.time - (this.#clock() - spent.at));
  }

  #add(key: string, attempts: number): void {
    const time = this.#time(key) + attempts * this.#limits.recovery;
    if (time <= 0) this.#spent.delete(key);
    else remember(this.#spent, key, { time, at: this.#clock() });
  }
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= MAX_ENTRIES) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
