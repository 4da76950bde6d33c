/**
 * DEFLATE (RFC 1951) whose output depends on the input alone.
 *
 * The compressors that come with Node give other bytes with another version, another processor, or a zlib of the
 * system, and a layer's digest is over its compressed bytes. This one is a little slower and always the same:
 * changing anything here that changes its output changes the digest of every image that is built again.
 *
 * Input is taken in segments of fixed size however it arrives. Each is searched with the 32 KiB before it at hand,
 * and each block of symbols is sent in whichever of the three forms is shortest.
 */
import { codeLengths, codesOf } from "./huffman.ts";

const WINDOW = 32 * 1024;
const SEGMENT = 224 * 1024;
const HASH_BITS = 16;
const MIN_MATCH = 4;
const MAX_MATCH = 258;
/** How many earlier places are tried, and what counts as good enough to stop. */
const MAX_CHAIN = 40;
const NICE_LENGTH = 96;
const LAZY_LENGTH = 24;
const BLOCK_SYMBOLS = 32 * 1024;
const END_OF_BLOCK = 256;

const LENGTH_BASE = new Uint16Array(29);
const LENGTH_EXTRA = new Uint8Array(29);
/** Length symbol, less 257, by match length. */
const LENGTH_SYMBOL = new Uint8Array(MAX_MATCH + 1);
const DISTANCE_BASE = new Uint16Array(30);
const DISTANCE_EXTRA = new Uint8Array(30);
/** Distance symbol by distance less 1: below 256 directly, above by its upper bits. */
const DISTANCE_SYMBOL = new Uint8Array(512);
/** The order in which lengths of code lengths are sent. */
const LENGTH_ORDER = Uint8Array.of(16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15);
const FIXED_LITERALS = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
const FIXED_DISTANCES = new Uint8Array(30).fill(5);

fillTables();

export class Deflate {
  readonly #emit: (bytes: Uint8Array) => void;
  readonly #data = new Uint8Array(WINDOW + SEGMENT);
  readonly #head = new Int32Array(1 << HASH_BITS);
  readonly #previous = new Int32Array(WINDOW + SEGMENT);
  /** A literal, or length << 16 | distance. */
  readonly #symbols = new Uint32Array(BLOCK_SYMBOLS);
  readonly #literals = new Uint32Array(286);
  readonly #distances = new Uint32Array(30);
  readonly #bits: BitWriter;
  #count = 0;
  /** Where the data of the block in the making begin. */
  #blockStart = 0;
  /** Bytes at the front that belong to the segment before. */
  #history = 0;
  #filled = 0;

  /** `emit` gets bytes that stay valid only until it returns. */
  constructor(emit: (bytes: Uint8Array) => void) {
    this.#emit = emit;
    this.#bits = new BitWriter();
  }

  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const room = this.#history + SEGMENT - this.#filled;
      const part = chunk.subarray(at, at + room);
      this.#data.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      // Kept until more comes, since only the last segment may be followed by nothing.
      if (part.length === room) this.#segment(false);
    }
  }

  end(): void {
    this.#segment(true);
  }

  #segment(last: boolean): void {
    this.#search();
    this.#block(this.#filled, last);
    if (last) {
      this.#bits.align();
      this.#flush();
      return;
    }
    this.#data.copyWithin(0, this.#filled - WINDOW, this.#filled);
    this.#history = WINDOW;
    this.#filled = WINDOW;
    this.#blockStart = WINDOW;
  }

  /** Turns the segment into literals and matches; takes a match only if the next byte doesn't begin a longer one. */
  #search(): void {
    const data = this.#data;
    const head = this.#head.fill(-1);
    const previous = this.#previous;
    const end = this.#filled;
    const hashable = end - MIN_MATCH;
    for (let at = 0; at < this.#history && at <= hashable; at++) {
      const hash = hashAt(data, at);
      previous[at] = head[hash] as number;
      head[hash] = at;
    }
    let heldLength = 0;
    let heldDistance = 0;
    for (let at = this.#history; at < end;) {
      let length = 0;
      let distance = 0;
      if (at <= hashable) {
        const hash = hashAt(data, at);
        let candidate = head[hash] as number;
        previous[at] = candidate;
        head[hash] = at;
        if (heldLength < LAZY_LENGTH) {
          const limit = Math.min(MAX_MATCH, end - at);
          const oldest = at - WINDOW;
          length = Math.max(heldLength, MIN_MATCH - 1);
          for (let tries = MAX_CHAIN; candidate >= oldest && candidate >= 0 && tries > 0; tries--) {
            if (
              length < limit &&
              data[candidate + length] === data[at + length] &&
              data[candidate] === data[at]
            ) {
              let same = 1;
              while (same < limit && data[candidate + same] === data[at + same]) same++;
              if (same > length) {
                length = same;
                distance = at - candidate;
                if (same >= NICE_LENGTH || same === limit) break;
              }
            }
            candidate = previous[candidate] as number;
          }
          if (distance === 0) length = 0;
        }
      }
      if (heldLength > 0 && length <= heldLength) {
        // The match that began one byte earlier is no worse.
        this.#push((heldLength << 16) | heldDistance, at - 1 + heldLength);
        const stop = at - 1 + heldLength;
        for (at++; at < stop; at++) {
          if (at > hashable) continue;
          const hash = hashAt(data, at);
          previous[at] = head[hash] as number;
          head[hash] = at;
        }
        heldLength = 0;
      } else {
        if (heldLength > 0) this.#push(data[at - 1] as number, at);
        if (length > 0) {
          heldLength = length;
          heldDistance = distance;
        } else {
          heldLength = 0;
          this.#push(data[at] as number, at + 1);
        }
        at++;
      }
    }
    // Held at the very last byte a match could begin at: cannot happen, matches are longer than one byte.
  }

  #push(symbol: number, covered: number): void {
    this.#symbols[this.#count++] = symbol;
    if (symbol < 256) this.#literals[symbol] = (this.#literals[symbol] as number) + 1;
    else {
      const length = 257 + (LENGTH_SYMBOL[symbol >>> 16] as number);
      const distance = distanceSymbol(symbol & 0xffff);
      this.#literals[length] = (this.#literals[length] as number) + 1;
      this.#distances[distance] = (this.#distances[distance] as number) + 1;
    }
    if (this.#count === BLOCK_SYMBOLS) this.#block(covered, false);
  }

  /** Sends what was gathered, up to the data before `covered`. */
  #block(covered: number, last: boolean): void {
    const start = this.#blockStart;
    if (covered === start && !last) return;
    this.#literals[END_OF_BLOCK] = 1;
    const literals = codeLengths(this.#literals, 15);
    const distances = codeLengths(this.#distances, 15);
    // A decoder may insist on one distance code even where there are no matches.
    if (!distances.some((length) => length > 0)) distances[0] = 1;
    const header = new CodeHeader(literals, distances);
    const dynamic = header.bits + this.#cost(literals, distances);
    const fixed = this.#cost(FIXED_LITERALS, FIXED_DISTANCES);
    const stored = (covered - start) * 8 + 35 * Math.max(1, Math.ceil((covered - start) / 0xffff));
    const bits = this.#bits;
    if (stored <= dynamic && stored <= fixed) this.#store(start, covered, last);
    else if (fixed <= dynamic) {
      bits.put((last ? 1 : 0) | (1 << 1), 3);
      this.#send(FIXED_LITERALS, FIXED_DISTANCES);
    } else {
      bits.put((last ? 1 : 0) | (2 << 1), 3);
      header.send(bits);
      this.#send(literals, distances);
    }
    this.#count = 0;
    this.#blockStart = covered;
    this.#literals.fill(0);
    this.#distances.fill(0);
    this.#flush();
  }

  #cost(literals: Uint8Array, distances: Uint8Array): number {
    let bits = 0;
    for (let symbol = 0; symbol < 286; symbol++) {
      const extra = symbol > 256 ? (LENGTH_EXTRA[symbol - 257] as number) : 0;
      bits += (this.#literals[symbol] as number) * ((literals[symbol] as number) + extra);
    }
    for (let symbol = 0; symbol < 30; symbol++) {
      const extra = DISTANCE_EXTRA[symbol] as number;
      bits += (this.#distances[symbol] as number) * ((distances[symbol] as number) + extra);
    }
    return bits;
  }

  #send(literalLengths: Uint8Array, distanceLengths: Uint8Array): void {
    const bits = this.#bits;
    const literals = codesOf(literalLengths);
    const distances = codesOf(distanceLengths);
    for (let i = 0; i < this.#count; i++) {
      const symbol = this.#symbols[i] as number;
      if (symbol < 256) {
        bits.put(literals[symbol] as number, literalLengths[symbol] as number);
        continue;
      }
      const length = symbol >>> 16;
      const lengthSymbol = LENGTH_SYMBOL[length] as number;
      bits.put(literals[257 + lengthSymbol] as number, literalLengths[257 + lengthSymbol] as number);
      bits.put(length - (LENGTH_BASE[lengthSymbol] as number), LENGTH_EXTRA[lengthSymbol] as number);
      const distance = symbol & 0xffff;
      const distanceAs = distanceSymbol(distance);
      bits.put(distances[distanceAs] as number, distanceLengths[distanceAs] as number);
      bits.put(distance - (DISTANCE_BASE[distanceAs] as number), DISTANCE_EXTRA[distanceAs] as number);
    }
    bits.put(literals[END_OF_BLOCK] as number, literalLengths[END_OF_BLOCK] as number);
  }

  #store(start: number, end: number, last: boolean): void {
    let at = start;
    do {
      const length = Math.min(0xffff, end - at);
      this.#bits.put(last && at + length === end ? 1 : 0, 3);
      this.#bits.align();
      this.#bits.put(length, 16);
      this.#bits.put(length ^ 0xffff, 16);
      this.#flush();
      this.#emit(this.#data.subarray(at, at + length));
      at += length;
    } while (at < end);
  }

  #flush(): void {
    const bytes = this.#bits.take();
    if (bytes.length > 0) this.#emit(bytes);
  }
}

/** How a dynamic block states its codes: run lengths of code lengths, themselves in a code. */
class CodeHeader {
  readonly bits: number;
  readonly #literals: number;
  readonly #distances: number;
  /** Symbol, and the extra bits' value and count. */
  readonly #runs: (readonly [symbol: number, extra: number, bits: number])[] = [];
  readonly #lengths: Uint8Array;
  readonly #orders: number;

  constructor(literals: Uint8Array, distances: Uint8Array) {
    this.#literals = Math.max(257, lastUsed(literals));
    this.#distances = Math.max(1, lastUsed(distances));
    const all = [...literals.subarray(0, this.#literals), ...distances.subarray(0, this.#distances)];
    for (let at = 0; at < all.length;) {
      const length = all[at] as number;
      let run = 1;
      while (all[at + run] === length) run++;
      at += run;
      this.#addRun(length, run);
    }
    const frequencies = new Uint32Array(19);
    for (const [symbol] of this.#runs) frequencies[symbol] = (frequencies[symbol] as number) + 1;
    this.#lengths = codeLengths(frequencies, 7);
    let orders = 19;
    while (orders > 4 && this.#lengths[LENGTH_ORDER[orders - 1] as number] === 0) orders--;
    this.#orders = orders;
    let bits = 14 + 3 * orders;
    for (const [symbol, , extra] of this.#runs) bits += (this.#lengths[symbol] as number) + extra;
    this.bits = bits;
  }

  send(bits: BitWriter): void {
    bits.put(this.#literals - 257, 5);
    bits.put(this.#distances - 1, 5);
    bits.put(this.#orders - 4, 4);
    for (let i = 0; i < this.#orders; i++) bits.put(this.#lengths[LENGTH_ORDER[i] as number] as number, 3);
    const codes = codesOf(this.#lengths);
    for (const [symbol, extra, count] of this.#runs) {
      bits.put(codes[symbol] as number, this.#lengths[symbol] as number);
      bits.put(extra, count);
    }
  }

  #addRun(length: number, run: number): void {
    let left = run;
    if (length !== 0) {
      this.#runs.push([length, 0, 0]);
      left--;
    }
    while (left >= 3) {
      const step = Math.min(left, length !== 0 ? 6 : 138);
      if (length !== 0) this.#runs.push([16, step - 3, 2]);
      else if (step <= 10) this.#runs.push([17, step - 3, 3]);
      else this.#runs.push([18, step - 11, 7]);
      left -= step;
    }
    for (; left > 0; left--) this.#runs.push([length, 0, 0]);
  }
}

class BitWriter {
  #bytes = new Uint8Array(256 * 1024);
  #length = 0;
  #pending = 0;
  #used = 0;

  /** At most 16 bits at once. */
  put(value: number, count: number): void {
    this.#pending |= value << this.#used;
    this.#used += count;
    while (this.#used >= 8) {
      this.#bytes[this.#length++] = this.#pending;
      this.#pending >>>= 8;
      this.#used -= 8;
    }
  }

  align(): void {
    if (this.#used > 0) this.put(0, 8 - this.#used);
  }

  /** The whole bytes so far, valid until the next `put`. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return bytes;
  }
}

function hashAt(data: Uint8Array, at: number): number {
  const word =
    (data[at] as number) |
    ((data[at + 1] as number) << 8) |
    ((data[at + 2] as number) << 16) |
    ((data[at + 3] as number) << 24);
  return Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
}

function distanceSymbol(distance: number): number {
  const index = distance - 1;
  return DISTANCE_SYMBOL[index < 256 ? index : 256 + (index >>> 7)] as number;
}

function lastUsed(lengths: Uint8Array): number {
  let count = lengths.length;
  while (count > 0 && lengths[count - 1] === 0) count--;
  return count;
}

function fillTables(): void {
  let length = 3;
  for (let symbol = 0; symbol < 28; symbol++) {
    const extra = symbol < 8 ? 0 : (symbol >> 2) - 1;
    LENGTH_BASE[symbol] = length;
    LENGTH_EXTRA[symbol] = extra;
    for (let i = 0; i < 1 << extra && length <= MAX_MATCH; i++) LENGTH_SYMBOL[length++] = symbol;
  }
  // The longest match has a symbol of its own.
  LENGTH_BASE[28] = MAX_MATCH;
  LENGTH_SYMBOL[MAX_MATCH] = 28;
  let distance = 1;
  for (let symbol = 0; symbol < 30; symbol++) {
    const extra = symbol < 4 ? 0 : (symbol >> 1) - 1;
    DISTANCE_BASE[symbol] = distance;
    DISTANCE_EXTRA[symbol] = extra;
    const from = distance - 1;
    distance += 1 << extra;
    for (let index = from; index < distance - 1; index += index < 256 ? 1 : 128) {
      DISTANCE_SYMBOL[index < 256 ? index : 256 + (index >>> 7)] = symbol;
    }
  }
}
