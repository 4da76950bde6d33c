import { close, open, read } from "node:fs";

import type { ByteConsumer } from "../oci/index.ts";
import type { ResponseStream } from "./request.ts";

/**
 * Two buffers serve one download: while the socket takes one, the disk fills the other. Large ones are faster for a
 * few, small ones keep the memory of many within bounds.
 */
const LARGE_BUFFER = 512 * 1024;
const SMALL_BUFFER = 64 * 1024;
const LARGE_BUFFERS = 32;

const spares: Buffer[] = [];
let largeInUse = 0;

/** Opens bytes `first`…`last` of a file, or says `undefined` when there is no such file. */
export async function openFileStream(
  path: string,
  first: number,
  length: number,
): Promise<ResponseStream | undefined> {
  const fd = await openFile(path);
  return fd === undefined ? undefined : new FileStream(fd, first, length);
}

class FileStream implements ResponseStream {
  readonly length: number;
  readonly #first: number;
  readonly #fd: number;
  #closed = false;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(fd: number, first: number, length: number) {
    this.#fd = fd;
    this.#first = first;
    this.length = length;
  }

  async pump(consume: ByteConsumer): Promise<void> {
    if (this.length === 0) return;
    let position = this.#first;
    const end = this.#first + this.length;
    let buffer = borrow(this.length);
    let other = this.length > buffer.length ? borrow(this.length) : undefined;
    try {
      let filled = await this.#fill(buffer, position, end);
      for (;;) {
        position += filled.length;
        const more = position < end;
        const ahead = more && other !== undefined ? this.#fill(other, position, end) : undefined;
        // Its failure is noticed when it is awaited, not while the consumer is busy.
        ahead?.catch(() => {});
        await consume(filled);
        if (!more) return;
        if (ahead === undefined || other === undefined) {
          filled = await this.#fill(buffer, position, end);
          continue;
        }
        filled = await ahead;
        [buffer, other] = [other, buffer];
      }
    } finally {
      // A read that is still under way writes into its buffer; nobody else may have it before.
      await this.#reading;
      giveBack(buffer);
      if (other !== undefined) giveBack(other);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#reading;
    await new Promise<void>((resolve) => close(this.#fd, () => resolve()));
  }

  #fill(buffer: Buffer, position: number, end: number): Promise<Buffer> {
    const wanted = Math.min(buffer.length, end - position);
    const reading = new Promise<Buffer>((resolve, reject) => {
      read(this.#fd, buffer, 0, wanted, position, (error, count) => {
        if (error !== null) reject(error);
        else if (count === 0) reject(new Error("Cannot read blob: its file ends too early"));
        else resolve(count === buffer.length ? buffer : buffer.subarray(0, count));
      });
    });
    this.#reading = reading.catch(() => {});
    return reading;
  }
}

function openFile(path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    open(path, "r", (error, fd) => {
      if (error === null) resolve(fd);
      else if (error.code === "ENOENT") resolve(undefined);
      else reject(error);
    });
  });
}

/** `wanted` bytes at most are to be read with it. */
function borrow(wanted: number): Buffer {
  if (wanted <= SMALL_BUFFER) return Buffer.allocUnsafeSlow(wanted);
  if (largeInUse >= LARGE_BUFFERS) return Buffer.allocUnsafeSlow(SMALL_BUFFER);
  largeInUse++;
  return spares.pop() ?? Buffer.allocUnsafeSlow(LARGE_BUFFER);
}

function giveBack(buffer: Buffer): void {
  if (buffer.length !== LARGE_BUFFER) return;
  largeInUse--;
  spares.push(buffer);
}
