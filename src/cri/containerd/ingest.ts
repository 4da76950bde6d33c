/**
 * One write into containerd's content store:
 *
 * ```text
 * STAT ─► how much an earlier write left ─► WRITE, WRITE, … ─► COMMIT ─► digest checked, visible
 * ```
 *
 * containerd answers every message, and by then has the bytes in its file. Several may be under way.
 */
import type { LeasedOptions, ContainerdConnection } from "./connection.ts";
import {
  WriteAction,
  type WriteContentRequestSchema,
  type WriteContentResponse,
} from "../generated/containerd/content_v1_pb.ts";
import type { Labels } from "./labels.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";

type Message = MessageInitShape<typeof WriteContentRequestSchema>;

/** Bytes in one message. */
const MESSAGE = 1024 * 1024;
/** Messages sent and not answered yet. */
const WINDOW = 3;

export interface IngestTarget {
  /** Who writes under this name writes alone. */
  readonly ref: string;
  readonly digest: string;
  readonly size: number;
}

export class Ingest implements AsyncDisposable {
  readonly #target: IngestTarget;
  readonly #outbox = new Outbox<Message>();
  readonly #answers: AsyncIterator<WriteContentResponse>;
  readonly #stop: AbortController;
  #buffer = Buffer.allocUnsafe(MESSAGE);
  #filled = 0;
  #sent = 0;
  #unanswered = 0;
  /** What containerd has. */
  #offset = 0;

  private constructor(connection: ContainerdConnection, target: IngestTarget, options: LeasedOptions) {
    this.#target = target;
    this.#stop = new AbortController();
    const { signal } = options;
    const stopping = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    const call = connection.call({ ...options, signal: stopping });
    this.#answers = connection.content.write(this.#outbox, call)[Symbol.asyncIterator]();
  }

  /**
   * Fails with `Unavailable` while somebody else writes under this name, with `AlreadyExists` when the content is here.
   *
   * @throws ConnectError
   */
  static async open(
    connection: ContainerdConnection,
    target: IngestTarget,
    options: LeasedOptions,
  ): Promise<Ingest> {
    const ingest = new Ingest(connection, target, options);
    try {
      ingest.#send({ action: WriteAction.STAT, ref: target.ref });
      await ingest.#settle(0);
      ingest.#sent = ingest.#offset;
      return ingest;
    } catch (error) {
      await ingest[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Bytes that were taken so far, those of an earlier write included. */
  get offset(): number {
    return this.#sent + this.#filled;
  }

  /** The chunk may be reused when it settles. */
  write(chunk: Uint8Array): void | Promise<void> {
    const room = MESSAGE - this.#filled;
    if (chunk.length < room) {
      this.#buffer.set(chunk, this.#filled);
      this.#filled += chunk.length;
      return undefined;
    }
    return this.#writeOn(chunk);
  }

  /** Checks size and digest, and makes the content visible; harmless where somebody else was faster. */
  async commit(labels: Labels): Promise<void> {
    this.#flush();
    const { size, digest } = this.#target;
    this.#send({
      action: WriteAction.COMMIT,
      offset: BigInt(this.#sent),
      total: BigInt(size),
      expected: digest,
      labels: { ...labels },
    });
    this.#outbox.end();
    await this.#settle(0);
  }

  /** What was taken stays for the next write. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#outbox.end();
    this.#stop.abort();
    await this.#answers.return?.().catch(() => {});
  }

  async #writeOn(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + MESSAGE - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < MESSAGE) break;
      this.#flush();
      await this.#settle(WINDOW);
    }
  }

  #flush(): void {
    if (this.#filled === 0) return;
    const data = this.#buffer.subarray(0, this.#filled);
    this.#send({ action: WriteAction.WRITE, offset: BigInt(this.#sent), data });
    this.#sent += this.#filled;
    this.#buffer = Buffer.allocUnsafe(MESSAGE);
    this.#filled = 0;
  }

  #send(message: Message): void {
    this.#unanswered++;
    const { size, digest } = this.#target;
    this.#outbox.push(
      message.action === WriteAction.STAT ? { ...message, total: BigInt(size), expected: digest } : message,
    );
  }

  /** Waits until at most so many messages are unanswered. */
  async #settle(limit: number): Promise<void> {
    while (this.#unanswered > limit) {
      const { value, done } = await this.#answers.next();
      if (done === true) throw new Error("containerd ended the write");
      this.#unanswered--;
      this.#offset = Number((value as WriteContentResponse).offset);
    }
  }
}

/** What waits to be sent. */
class Outbox<T> implements AsyncIterable<T> {
  readonly #waiting: T[] = [];
  #ended = false;
  #wake: () => void = () => {};

  push(item: T): void {
    this.#waiting.push(item);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const item = this.#waiting.shift();
      if (item !== undefined) yield item;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
