import type { ByteConsumer, ContentStream, Descriptor } from "../oci/index.ts";
import { pumpContent } from "./content-encoding.ts";
import { ClientError } from "./errors.ts";
import type { ClientEventListener } from "./events.ts";
import type { HttpResponse } from "./http.ts";
import { isInterruption } from "./network-error.ts";
import type { RetryPolicy, Sleep } from "./retry.ts";

/** An answer whose body is about to be read, and how many of its first bytes are there already. */
export interface Reading {
  readonly response: HttpResponse;
  readonly skip: number;
}

export interface BlobStreamOptions {
  readonly descriptor: Descriptor;
  readonly offset: number;
  /** The first byte that isn't wanted any more; the blob's own end by default. */
  readonly end?: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly reopen: (offset: number) => Promise<Reading>;
  readonly policy: RetryPolicy;
  readonly sleep: Sleep;
  readonly onEvent: ClientEventListener;
}

/** Broken connections in a row that brought nothing, after which reading on is given up. */
const FRUITLESS_LIMIT = 3;

/** One blob from an offset to an end, over as many connections as it takes, one after the other. */
export class BlobStream implements ContentStream {
  readonly #options: BlobStreamOptions;
  #reading: Reading | undefined;
  #closed = false;

  constructor(first: Reading, options: BlobStreamOptions) {
    this.#reading = first;
    this.#options = options;
  }

  async pump(consume: ByteConsumer): Promise<void> {
    const { descriptor, offset, signal, policy, sleep, onEvent, reopen } = this.#options;
    const end = this.#options.end ?? descriptor.size;
    let at = offset;
    let fruitless = 0;
    for (;;) {
      const before = at;
      const cut = await this.#pumpOnce(consume, at, (bytes) => (at += bytes));
      if (at === end) return;
      signal?.throwIfAborted();
      fruitless = at > before ? 0 : fruitless + 1;
      if (fruitless > FRUITLESS_LIMIT || this.#closed) throw cut;
      onEvent({ type: "resume", digest: descriptor.digest, offset: at, reason: cut.message });
      if (fruitless > 0) await sleep(policy.delayAfter(fruitless), signal);
      this.#reading = await reopen(at);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const reading = this.#reading;
    this.#reading = undefined;
    await reading?.response.discard();
  }

  /** Reads one answer; returns why it stopped if it did before the end. */
  async #pumpOnce(
    consume: ByteConsumer,
    start: number,
    count: (bytes: number) => void,
  ): Promise<ClientError> {
    const { descriptor, end = descriptor.size } = this.#options;
    const reading = this.#reading;
    this.#reading = undefined;
    if (reading === undefined) throw new TypeError("A content stream can be read only once");
    let { skip } = reading;
    let at = start;
    // A consumer may be an upload whose own connection broke: that must not look like ours.
    let refusal: { readonly error: unknown } | undefined;
    const refuse = (error: unknown): never => {
      refusal = { error };
      throw error;
    };
    try {
      await pumpContent(reading.response, (received) => {
        let chunk = received;
        if (skip > 0) {
          const dropped = Math.min(skip, chunk.length);
          skip -= dropped;
          if (dropped === chunk.length) return undefined;
          chunk = chunk.subarray(dropped);
        }
        at += chunk.length;
        if (at > end) throw tooLong(descriptor, end);
        count(chunk.length);
        try {
          return consume(chunk)?.catch(refuse);
        } catch (error) {
          return refuse(error);
        }
      });
    } catch (error) {
      if (refusal !== undefined || !isInterruption(error)) throw error;
      return error as ClientError;
    }
    return new ClientError(
      "NETWORK_RESET",
      `Cannot read blob "${descriptor.digest}": it ended after ${at} of ${end} bytes`,
    );
  }
}

function tooLong({ digest, size }: Descriptor, end: number): ClientError {
  const what = end === size ? `its ${size} bytes` : `the part up to byte ${end} that it was asked for`;
  return new ClientError("SIZE_INVALID", `Cannot read blob "${digest}": the registry sent more than ${what}`);
}
