import { setImmediate } from "node:timers/promises";

interface Appointment {
  readonly at: number;
  readonly run: () => void;
}

/** Turns of the event loop without anything under way, after which nothing will come of itself any more. */
const QUIET_TURNS = 6;

/**
 * A clock that stands still while anything is being done, and then jumps to the next appointment: scenarios of many
 * minutes take milliseconds and always go the same way. Milliseconds since the epoch.
 */
export class VirtualClock {
  readonly #appointments: Appointment[] = [];
  #now: number;

  constructor(start: number) {
    this.#now = start;
  }

  readonly now = (): number => this.#now;

  /** Appointments of the same moment are kept in the order they were made. */
  schedule(at: number, run: () => void): void {
    const appointment = { at: Math.max(at, this.#now), run };
    const index = this.#appointments.findLastIndex((other) => other.at <= appointment.at);
    this.#appointments.splice(index + 1, 0, appointment);
  }

  readonly sleep = async (milliseconds: number, signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.schedule(this.#now + milliseconds, resolve);
    });
  };

  /** Keeps all appointments up to this moment. */
  async runUntil(end: number): Promise<void> {
    for (;;) {
      await settle();
      const [next] = this.#appointments;
      if (next === undefined || next.at > end) break;
      this.#appointments.shift();
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
  }
}

/** Resolves when nothing is under way in this process but waiting for the virtual clock. */
export async function settle(): Promise<void> {
  for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
    await setImmediate();
    if (process.getActiveResourcesInfo().some((name) => /Req/.test(name))) quiet = -1;
  }
}
