/** The protobuf wire format, read with the refusals of the code that Kubernetes generates for it. */
import { GoError } from "../../internal/go/errors.ts";

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const START_GROUP = 3;
const END_GROUP = 4;
export const FIXED32 = 5;

const MAX_DEPTH = 100;
const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Goes through one message; a nested one is read from its own bytes. */
export class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** @throws GoError where no field can begin */
  tag(message: string): { readonly number: number; readonly type: number } {
    const tag = this.varint();
    const number = Number(tag >> 3n);
    const type = Number(tag & 7n);
    if (type === END_GROUP) throw new GoError(`proto: ${message}: wiretype end group for non-group`);
    if (number <= 0 || number > 0x1fff_ffff) {
      throw new GoError(`proto: ${message}: illegal tag ${number} (wire type ${tag})`);
    }
    return { number, type };
  }

  /** 64 bits, without a sign. */
  varint(): bigint {
    let low = 0;
    // Nearly all fit in four bytes.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 64n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new GoError("proto: integer overflow");
  }

  bytes(): Uint8Array {
    const length = BigInt.asIntN(64, this.varint());
    if (length < 0n) throw new GoError("proto: negative length found during unmarshaling");
    return this.#take(length);
  }

  skip(type: number): void {
    if (type === VARINT) this.varint();
    else if (type === FIXED64) this.#take(8n);
    else if (type === BYTES) this.bytes();
    else if (type === FIXED32) this.#take(4n);
    else if (type === START_GROUP) this.#skipGroup(1);
    else throw new GoError(`proto: illegal wireType ${type}`);
  }

  #skipGroup(depth: number): void {
    if (depth > MAX_DEPTH) throw new GoError("proto: groups are nested too deeply");
    for (;;) {
      const type = Number(this.varint() & 7n);
      if (type === END_GROUP) return;
      if (type === START_GROUP) this.#skipGroup(depth + 1);
      else this.skip(type);
    }
  }

  #take(length: bigint): Uint8Array {
    if (length > BigInt(this.#bytes.length - this.#at)) throw new GoError("unexpected EOF");
    const start = this.#at;
    this.#at += Number(length);
    return this.#bytes.subarray(start, this.#at);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new GoError("unexpected EOF");
    this.#at++;
    return byte;
  }
}

/** @throws GoError, since such a text could go into no JSON answer unchanged */
export function textOf(bytes: Uint8Array): string {
  try {
    return STRICT.decode(bytes);
  } catch {
    throw new GoError("proto: string contains invalid UTF-8");
  }
}
