import { isAbsence, UpstreamError } from "./upstream.ts";
import type { Upstream, UpstreamQuery } from "./upstream.ts";
import type { UpstreamSettings } from "./config.ts";
import type { Slots } from "./slots.ts";

/** Without a `Retry-After`, an upstream that refuses for now is left alone for so many milliseconds. */
const USUAL_PAUSE = 30_000;
/** Nobody is believed who wants to be left alone for longer. */
const LONGEST_PAUSE = 6 * 60 * 60 * 1_000;

export interface GateOptions {
  readonly settings: Pick<UpstreamSettings, "registry" | "rateLimit" | "downTime">;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/**
 * Stands before an upstream, for all who ask it: when it says "too many" to one, nobody asks before the time it
 * named; when it can't be reached, the next ones need not find that out by waiting.
 */
export class UpstreamGate {
  readonly #options: GateOptions;
  #closed: { readonly until: number; readonly error: UpstreamError } | undefined;
  #allowance: number;
  #refilledAt: number;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#allowance = options.settings.rateLimit?.requests ?? 0;
    this.#refilledAt = options.clock();
  }

  /** Asks, unless that is known to be of no use. */
  async pass<Result>(ask: () => Promise<Result>): Promise<Result> {
    this.#assertOpen();
    this.#spend();
    try {
      return await ask();
    } catch (error) {
      this.note(error);
      throw error;
    }
  }

  /** Learns from a failure that came after the first answer. */
  note(error: unknown): void {
    if (!isAbsence(error)) return;
    const { clock, settings } = this.#options;
    const asked = error.retryAfter ?? (error.code === "TOOMANYREQUESTS" ? USUAL_PAUSE : settings.downTime);
    const until = clock() + Math.min(asked, LONGEST_PAUSE);
    if (until > (this.#closed?.until ?? 0)) this.#closed = { until, error };
  }

  #assertOpen(): void {
    if (this.#closed === undefined) return;
    const left = this.#closed.until - this.#options.clock();
    if (left <= 0) {
      this.#closed = undefined;
      return;
    }
    const { code } = this.#closed.error;
    // Not in the words of that failure: they speak of what somebody else asked for.
    const state =
      code === "TOOMANYREQUESTS" ? "it wants fewer requests" : "it could not be reached a moment ago";
    const message = `Cannot ask ${JSON.stringify(this.#options.settings.registry)}: ${state}`;
    throw new UpstreamError(code, message, { retryAfter: left, cause: this.#closed.error });
  }

  /** A bucket that fills evenly: a burst may take all of it, then requests go at the pace of the limit. */
  #spend(): void {
    const { settings, clock } = this.#options;
    const { rateLimit, registry } = settings;
    if (rateLimit === undefined) return;
    const now = clock();
    const perRequest = rateLimit.per / rateLimit.requests;
    const earned = Math.max(0, now - this.#refilledAt) / perRequest;
    this.#allowance = Math.min(rateLimit.requests, this.#allowance + earned);
    this.#refilledAt = now;
    if (this.#allowance < 1) {
      const message = `Cannot ask ${JSON.stringify(registry)}: the limit set for it here is used up`;
      const retryAfter = Math.ceil((1 - this.#allowance) * perRequest);
      throw new UpstreamError("TOOMANYREQUESTS", message, { retryAfter });
    }
    this.#allowance--;
  }
}

/** The same upstream behind a gate, with so many blobs under way at a time. */
export function guardUpstream(upstream: Upstream, gate: UpstreamGate, slots: Slots): Upstream {
  return {
    headManifest: (query, reference) => gate.pass(() => upstream.headManifest(query, reference)),
    openManifest: (query, reference) => gate.pass(() => upstream.openManifest(query, reference)),
    headBlob: (query, digest) => gate.pass(() => upstream.headBlob(query, digest)),
    async openBlob(query: UpstreamQuery, blob, offset) {
      const slot = await slots.take(query.signal);
      const stream = await gate
        .pass(() => upstream.openBlob(query, blob, offset))
        .catch((error: unknown) => {
          slot[Symbol.dispose]();
          throw error;
        });
      return {
        close: async () => {
          slot[Symbol.dispose]();
          await stream.close();
        },
        pump: (consume) =>
          stream.pump(consume).catch((error: unknown) => {
            gate.note(error);
            throw error;
          }),
      };
    },
    listTags: (query, page) => gate.pass(() => upstream.listTags(query, page)),
    listReferrers: (query, subject, artifactType) =>
      gate.pass(() => upstream.listReferrers(query, subject, artifactType)),
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  };
}
