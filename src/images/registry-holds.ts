/** Registries that asked to be left alone, and until when: milliseconds since the epoch. */
export class RegistryHolds {
  readonly #now: () => number;
  readonly #holds = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Leaves the registry alone for so many milliseconds, or longer where it asked for longer before. */
  hold(registry: string, milliseconds: number): void {
    const wait = Math.min(MAX_HOLD, Math.max(MIN_HOLD, milliseconds));
    this.#holds.set(registry, Math.max(this.#holds.get(registry) ?? 0, this.#now() + wait));
  }

  /** When the registry may be asked again; `undefined` for now. */
  until(registry: string): number | undefined {
    const until = this.#holds.get(registry);
    if (until === undefined || until > this.#now()) return until;
    this.#holds.delete(registry);
    return undefined;
  }
}

/** A registry that says "now" to everybody would be asked without a pause. */
const MIN_HOLD = 1000;
/** Hub's limits reach over six hours; asking once in an hour does no harm, and finds out sooner. */
const MAX_HOLD = 3_600_000;
