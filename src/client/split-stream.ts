/**
 * A large blob over several connections. It begins as any other, over one. Where that turns out to be slow, others help:
 *
 * ```text
 * one connection   ████████████████░░░░|                    cut here, once the registry has agreed to send ranges
 * helpers                              |█████|███░░|██░░░|  parts in order, each held in memory until its turn
 *                                       ▲ handed on as it comes; the next part begins when one is through
 * ```
 *
 * Bytes are handed on in order, so whoever keeps them verifies and resumes as ever: what is missing after a cut is at
 * most what was held. A registry that answers with anything but the very part it was asked for is read over one
 * connection, and so is one that fails at a part: from where the bytes handed on end.
 */
import type { ByteConsumer, ContentStream, Descriptor } from "../oci/index.ts";
import { BlobPart } from "./blob-part.ts";
import { ClientError } from "./errors.ts";
import type { ClientEventListener } from "./events.ts";
import type { SplitBudget } from "./split-options.ts";

export interface SplitStreamOptions {
  readonly descriptor: Descriptor;
  readonly offset: number;
  readonly signal: AbortSignal | undefined;
  readonly budget: SplitBudget;
  /** Whom ranges are asked of. */
  readonly domain: string;
  readonly clock: () => number;
  readonly onEvent: ClientEventListener;
  /** The rest of the blob from an offset, or up to an end and nothing else. */
  readonly open: (offset: number, end: number | undefined, signal: AbortSignal) => Promise<ContentStream>;
}

/** How far ahead of the one connection the first part begins: milliseconds at its speed, about what an answer takes. */
const LEAD = 500;
/** Ends the one connection where helpers go on. */
const CUT: Error = new Error("The rest comes over other connections");

export class SplitStream implements ContentStream {
  readonly #first: ContentStream;
  readonly #options: SplitStreamOptions;
  readonly #stop = new AbortController();
  readonly #parts: BlobPart[] = [];
  readonly #helping = new Set<BlobPart>();
  /** The first byte that was not handed on. */
  #at: number;
  /** Where the next part begins. */
  #next = 0;
  /** Parts that may be under way at a time. */
  #limit = 0;
  #cutAt = Number.POSITIVE_INFINITY;
  #state: "undecided" | "asking" | "split" | "whole" = "undecided";
  #began = 0;
  /** Milliseconds the consumer took: a slow disk is no reason for more connections. */
  #consuming = 0;
  #refusal: { readonly error: unknown } | undefined;

  constructor(first: ContentStream, options: SplitStreamOptions) {
    this.#first = first;
    this.#options = options;
    this.#at = options.offset;
  }

  async pump(consume: ByteConsumer): Promise<void> {
    const { signal } = this.#options;
    const stop = (): void => this.#stop.abort(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      if (await this.#pumpFirst(consume)) return;
      if (await this.#pumpParts(consume)) return;
      await this.#endParts();
      await this.#pumpRest(consume);
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#stop.abort();
      await this.#endParts();
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#first.close();
  }

  /** Whether the one connection brought everything. */
  async #pumpFirst(consume: ByteConsumer): Promise<boolean> {
    const { clock } = this.#options;
    this.#began = clock();
    try {
      await this.#first.pump((chunk) => {
        const own = chunk.subarray(0, Math.min(chunk.length, this.#cutAt - this.#at));
        const before = clock();
        const pending = own.length === 0 ? undefined : consume(own);
        this.#at += own.length;
        if (pending === undefined) return this.#afterChunk(clock() - before);
        return pending.then(() => this.#afterChunk(clock() - before));
      });
      return true;
    } catch (error) {
      if (error !== CUT) throw error;
      await this.#first.close();
      return false;
    }
  }

  #afterChunk(consuming: number): void {
    this.#consuming += consuming;
    if (this.#at >= this.#cutAt) throw CUT;
    if (this.#state === "undecided") this.#consider();
  }

  #consider(): void {
    const { budget, clock, descriptor, offset } = this.#options;
    const { patience, threshold, partSize } = budget.settings;
    const elapsed = clock() - this.#began - this.#consuming;
    if (elapsed < patience) return;
    const rate = (this.#at - offset) / Math.max(1, elapsed);
    const missing = descriptor.size - this.#at;
    if (missing < threshold || missing < rate * patience) {
      this.#state = "whole";
      return;
    }
    const start = this.#at + Math.ceil(Math.min(missing / 2, Math.max(partSize, rate * LEAD)));
    if (budget.free === 0 || start >= descriptor.size) return;
    this.#state = "asking";
    this.#next = start;
    const probe = this.#begin();
    probe.opened.then(
      () => this.#agreed(probe),
      (error: unknown) => this.#refused(error),
    );
  }

  #agreed(probe: BlobPart): void {
    // The one connection was faster than the answer: then it needs no help.
    if (this.#at >= probe.end) return this.#refused(undefined);
    const start = Math.max(this.#at, probe.start);
    const { descriptor, onEvent, budget } = this.#options;
    const { connections } = budget.settings;
    onEvent({ type: "split", digest: descriptor.digest, offset: start, connections });
    this.#state = "split";
    this.#cutAt = start;
    // The one connection is the last of them for a little while.
    this.#limit = connections - 1;
    this.#fillUp();
  }

  #refused(error: unknown): void {
    this.#state = "whole";
    const { budget, domain } = this.#options;
    if (error instanceof ClientError && error.code === "RESPONSE_INVALID") budget.unable.add(domain);
    this.#stop.abort();
    void this.#endParts();
  }

  /** Whether the parts brought everything; a failure of theirs is left to somebody who asks without ranges. */
  async #pumpParts(consume: ByteConsumer): Promise<boolean> {
    const { descriptor, signal, onEvent } = this.#options;
    const guarded = this.#guard(consume);
    this.#limit = this.#options.budget.settings.connections;
    try {
      while (this.#at < descriptor.size) {
        this.#stop.signal.throwIfAborted();
        this.#fillUp();
        const head = this.#parts[0] as BlobPart;
        // The part whose turn it is takes the place of the one connection.
        if (this.#helping.delete(head)) this.#options.budget.give(1);
        await head.deliver(this.#at, guarded);
        this.#parts.shift();
      }
      return true;
    } catch (error) {
      if (this.#refusal !== undefined) throw this.#refusal.error;
      signal?.throwIfAborted();
      if (!(error instanceof ClientError)) throw error;
      this.#stop.abort();
      onEvent({ type: "resume", digest: descriptor.digest, offset: this.#at, reason: error.message });
      return false;
    }
  }

  async #pumpRest(consume: ByteConsumer): Promise<void> {
    const rest = await this.#options.open(this.#at, undefined, this.#options.signal ?? NEVER);
    try {
      await rest.pump(consume);
    } finally {
      await rest.close();
    }
  }

  /** Begins parts until so many are under way, as far as the client's other blobs and what is held leave some. */
  #fillUp(): void {
    const { budget, descriptor } = this.#options;
    const busy = (): number => this.#parts.filter(({ complete }) => !complete).length;
    while (busy() < this.#limit && this.#next < descriptor.size && !this.#stop.signal.aborted) {
      if (this.#parts.length > 0 && budget.free === 0) return;
      this.#begin();
    }
  }

  #begin(): BlobPart {
    const { budget, descriptor, open } = this.#options;
    const start = this.#next;
    const end = Math.min(descriptor.size, start + budget.settings.partSize);
    const part = new BlobPart({
      start,
      end,
      open: () => open(start, end, this.#stop.signal),
      takeBuffer: (length) => budget.takeBuffer(length),
      giveBuffer: (buffer) => budget.giveBuffer(buffer),
      onComplete: () => this.#fillUp(),
    });
    if (budget.take()) this.#helping.add(part);
    this.#parts.push(part);
    this.#next = end;
    return part;
  }

  /** A consumer's failure must not look like a connection's. */
  #guard(consume: ByteConsumer): ByteConsumer {
    const refuse = (error: unknown): never => {
      this.#refusal = { error };
      throw error;
    };
    return (chunk) => {
      this.#at += chunk.length;
      try {
        return consume(chunk)?.catch(refuse);
      } catch (error) {
        return refuse(error);
      }
    };
  }

  async #endParts(): Promise<void> {
    const parts = this.#parts.splice(0);
    await Promise.all(parts.map((part) => part.settle()));
    this.#options.budget.give(this.#helping.size);
    this.#helping.clear();
  }
}

const NEVER: AbortSignal = new AbortController().signal;
