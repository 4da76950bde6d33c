import type { LoginFailed, Operations } from "../../registry/index.ts";

/** Who is held off is noted once in so many milliseconds: a guesser must not fill the log. */
const HELD_OFF_EVERY = 60_000;
const MAX_REMEMBERED = 10_000;

/** Writes failed logins down in the audit log, whatever they were made for: pulls and tokens, too. */
export class LoginNotes {
  readonly #clock: () => number;
  readonly #heldOff = new Map<string, number>();
  #audit: Operations["audit"];

  /** `clock`: milliseconds since the epoch. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** From now on; before, nothing is written down. */
  writeTo(audit: Operations["audit"]): void {
    this.#audit = audit;
  }

  async note({ login, address, lockedOut }: LoginFailed): Promise<void> {
    const audit = this.#audit;
    if (audit === undefined || (lockedOut && !this.#isNews(`${login}\0${address}`))) return;
    await audit.note({
      action: "login",
      caller: login.slice(0, 100),
      address,
      decision: "denied",
      reason: lockedOut ? "too many logins failed" : "name or password is wrong",
    });
  }

  #isNews(key: string): boolean {
    const now = this.#clock();
    const last = this.#heldOff.get(key);
    if (last !== undefined && now - last < HELD_OFF_EVERY) return false;
    this.#heldOff.delete(key);
    if (this.#heldOff.size >= MAX_REMEMBERED) {
      // The one that was noted first is the first to be forgotten.
      for (const oldest of this.#heldOff.keys()) {
        this.#heldOff.delete(oldest);
        break;
      }
    }
    this.#heldOff.set(key, now);
    return true;
  }
}
