/**
 * One write into containerd's content store:
 *
 * ```text
 * STAT ─► how much an earlier write left ─► WRITE, WRITE, … ─► COMMIT ─► digest checked, visible
 * ```
 *
 * containerd answers every message, and by then has the bytes in its file. Several may be under way.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";

import {
  WriteAction,
  WriteContentRequestSchema,
  WriteContentResponseSchema,
} from "../generated/containerd/content_v1_pb.ts";
import type { ContainerdConnection, LeasedOptions } from "./connection.ts";
import type { Labels } from "./labels.ts";
import { PREFIX, type RawCall } from "./raw-call.ts";

/** Bytes in one message at most. */
const MESSAGE = 512 * 1024;
/** Before them: the prefix, and the fields of a message in their longest form. */
const HEAD = 32;
/** Messages sent and not answered yet. */
const WINDOW = 3;
const METHOD = "/containerd.services.content.v1.Content/Write";

export interface IngestTarget {
  /** Who writes under this name writes alone. */
  readonly ref: string;
  readonly digest: string;
  readonly size: number;
}

export interface IngestOptions extends LeasedOptions {
  /** Told how many bytes containerd has in its file: first what an earlier write left, then after each message. */
  readonly onWritten?: ((bytes: number) => void) | undefined;
}

export class Ingest implements AsyncDisposable {
  readonly #target: IngestTarget;
  /** Bytes in one message of this write: little content has little buffers. */
  readonly #most: number;
  readonly #call: RawCall;
  readonly #onWritten: (bytes: number) => void;
  /** Buffers that aren't under way. */
  readonly #spare: Buffer[] = [];
  #buffer: Buffer | undefined;
  #filled = 0;
  #sent = 0;
  #unanswered = 0;
  /** What containerd has. */
  #offset = 0;

  private constructor(call: RawCall, target: IngestTarget, onWritten: (bytes: number) => void = () => {}) {
    this.#call = call;
    this.#target = target;
    this.#onWritten = onWritten;
    this.#most = Math.min(MESSAGE, Math.max(1, target.size));
  }

  /**
   * Fails with `Unavailable` while somebody else writes under this name, with `AlreadyExists` when the content is here.
   *
   * @throws ConnectError
   */
  static async open(
    connection: ContainerdConnection,
    target: IngestTarget,
    options: IngestOptions,
  ): Promise<Ingest> {
    const ingest = new Ingest(connection.rawCall(METHOD, options), target, options.onWritten);
    try {
      const { ref, digest, size } = target;
      ingest.#send({ action: WriteAction.STAT, ref, total: BigInt(size), expected: digest });
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
    if (this.#filled + chunk.length >= this.#most) return this.#writeOn(chunk);
    this.#take(chunk);
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
    this.#call.endSending();
    await this.#settle(0);
  }

  /** What was taken stays for the next write. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#call.close();
  }

  async #writeOn(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + this.#most - this.#filled);
      this.#take(part);
      at += part.length;
      if (this.#filled < this.#most) break;
      this.#flush();
      await this.#settle(WINDOW);
    }
  }

  #take(part: Uint8Array): void {
    this.#buffer ??= this.#spare.pop() ?? Buffer.allocUnsafeSlow(HEAD + this.#most);
    this.#buffer.set(part, HEAD + this.#filled);
    this.#filled += part.length;
  }

  /** Sends what was taken; its head goes right before it, in the same buffer. */
  #flush(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    const fields = Buffer.concat([
      Buffer.from([(1 << 3) | 0, WriteAction.WRITE]),
      varint((5 << 3) | 0, this.#sent),
      varint((6 << 3) | 2, this.#filled),
    ]);
    const start = HEAD - fields.length - PREFIX;
    buffer[start] = 0;
    buffer.writeUInt32BE(fields.length + this.#filled, start + 1);
    buffer.set(fields, start + PREFIX);
    this.#unanswered++;
    this.#call.send(buffer.subarray(start, HEAD + this.#filled), () => this.#spare.push(buffer));
    this.#sent += this.#filled;
    this.#buffer = undefined;
    this.#filled = 0;
  }

  #send(message: MessageInitShape<typeof WriteContentRequestSchema>): void {
    const bytes = toBinary(WriteContentRequestSchema, create(WriteContentRequestSchema, message));
    const framed = Buffer.alloc(PREFIX + bytes.length);
    framed.writeUInt32BE(bytes.length, 1);
    framed.set(bytes, PREFIX);
    this.#unanswered++;
    this.#call.send(framed);
  }

  /** Waits until at most so many messages are unanswered. */
  async #settle(limit: number): Promise<void> {
    while (this.#unanswered > limit) {
      const answer = fromBinary(WriteContentResponseSchema, await this.#call.receive());
      this.#unanswered--;
      this.#offset = Number(answer.offset);
      this.#onWritten(this.#offset);
    }
  }
}

/** A field's key, and its number or the length of what follows. */
function varint(key: number, value: number): Buffer {
  const bytes = [key];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
