/**
 * What went wrong with which Pod's image, and how long it is left alone for it: the kubelet's back-off, and where
 * it is to recover, what registries ask for and what changes mend.
 */
import { goQuote } from "../internal/go/quote.ts";
import type { BackOff } from "./back-off.ts";
import { type EnsureCall, keyOf } from "./ensure-call.ts";
import type { FailureDetail } from "./judge-failure.ts";
import { couldCure, type CredentialsChange, type FailedPull, recall, type Recalled } from "./recall.ts";
import { registryOf } from "./recall.ts";
import { RegistryHolds } from "./registry-holds.ts";

export interface FailureMemoryOptions {
  readonly backOff: BackOff;
  readonly now: () => number;
  /** Whether anything but time ends a back-off. */
  readonly recover: boolean;
}

export class FailureMemory {
  readonly #backOff: BackOff;
  readonly #now: () => number;
  /** The last failure of a back-off key. */
  readonly #recalled = new Map<string, Recalled>();
  /** Without any, registries are never left alone. */
  readonly #holds: RegistryHolds | undefined;
  /** Back-off keys that may ask a registry in spite of its hold, once. */
  readonly #cured = new Map<string, string>();
  /** Attempts under way, and what has changed since they took their credentials. */
  readonly #underWay = new Map<EnsureCall, Map<string, CredentialsChange>>();

  constructor({ backOff, now, recover }: FailureMemoryOptions) {
    this.#backOff = backOff;
    this.#now = now;
    this.#holds = recover ? new RegistryHolds(now) : undefined;
  }

  isWaiting(call: EnsureCall): boolean {
    return this.#backOff.isWaiting(keyOf(call.request)) || this.isHeld(call);
  }

  /** Whether its registry wants to be left alone. */
  isHeld({ request, tagged }: EnsureCall): boolean {
    if (this.#holds === undefined || this.#cured.has(keyOf(request))) return false;
    return this.#holds.until(registryOf(tagged)) !== undefined;
  }

  /** Why this one waits; of a registry that is left alone, also where another image's failure is the reason. */
  whyWaiting(call: EnsureCall): Recalled | undefined {
    return this.#recalled.get(keyOf(call.request)) ?? this.#recallHold(call);
  }

  /** When another attempt is due. */
  retryAt({ request, tagged }: EnsureCall): number | undefined {
    const ends = [this.#backOff.waitsUntil(keyOf(request)), this.#holds?.until(registryOf(tagged))];
    const known = ends.filter((end) => end !== undefined);
    return known.length === 0 ? undefined : Math.max(...known);
  }

  /** An attempt begins: what was said before is no longer true. */
  began(call: EnsureCall): void {
    this.#recalled.delete(keyOf(call.request));
    if (this.#holds !== undefined) this.#underWay.set(call, new Map());
  }

  /** However it went. */
  ended(call: EnsureCall): void {
    this.#underWay.delete(call);
  }

  failed(call: EnsureCall, failure: { readonly text: string; readonly detail: FailureDetail }): void {
    const key = keyOf(call.request);
    const { retryAfter } = failure.detail;
    this.#cured.delete(key);
    // Where the registry says how long to wait, nobody has to guess.
    if (this.#holds === undefined || retryAfter === undefined) this.#backOff.next(key);
    else this.#holds.hold(registryOf(call.tagged), retryAfter);
    const recalled = recall(call.request, call.tagged, failure);
    this.#recalled.set(key, recalled);
    const changes = this.#underWay.get(call)?.values() ?? [];
    if ([...changes].some((change) => couldCure(change, recalled))) this.forget(recalled);
  }

  succeeded({ request }: EnsureCall): void {
    this.#cured.delete(keyOf(request));
    this.#collect();
  }

  forget(pull: FailedPull): void {
    const key = keyOf(pull);
    this.#backOff.reset(key);
    const registry = this.#recalled.get(key)?.registry;
    if (registry !== undefined) this.#letThrough(key, registry);
  }

  /** Ends the back-off of all that the change could mend, and says which those are. */
  cure(change: CredentialsChange): readonly FailedPull[] {
    if (this.#holds === undefined) return [];
    for (const changes of this.#underWay.values()) changes.set(JSON.stringify(change), change);
    const cured = [...this.#recalled].filter(([, failed]) => couldCure(change, failed));
    return cured.map(([key, { image, podUid, registry }]) => {
      this.#backOff.reset(key);
      this.#recalled.delete(key);
      this.#letThrough(key, registry);
      return { image, podUid };
    });
  }

  /** Kept, so that a change can find those, too, that were never tried. */
  #recallHold({ request, tagged }: EnsureCall): Recalled | undefined {
    const registry = registryOf(tagged);
    const until = this.#holds?.until(registry);
    if (until === undefined) return undefined;
    const text = `registry ${goQuote(registry)} asked to be left alone until ${new Date(until).toISOString()}`;
    const retryAfter = until - this.#now();
    const detail = { kind: "passing", because: "rate-limited", unreachable: true, retryAfter } as const;
    const recalled = recall(request, tagged, { text, detail });
    this.#recalled.set(keyOf(request), recalled);
    return recalled;
  }

  #letThrough(key: string, registry: string): void {
    if (this.#holds?.until(registry) !== undefined) this.#cured.set(key, registry);
  }

  #collect(): void {
    this.#backOff.collect();
    for (const [key, { registry }] of this.#recalled) {
      if (!this.#backOff.has(key) && this.#holds?.until(registry) === undefined) this.#recalled.delete(key);
    }
    for (const [key, registry] of this.#cured) {
      if (this.#holds?.until(registry) === undefined) this.#cured.delete(key);
    }
  }
}
