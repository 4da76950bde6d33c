/**
 * Finds where zstd frames end, by their headers alone (RFC 8878, section 3.1).
 *
 * Node's decoder takes the end of a frame as the end of everything when more input lies in the same write, and drops
 * the rest without a word. Layers made of many frames are common (parallel compressors, `zstd:chunked`), so input is
 * cut at frame ends before it is handed over.
 */
export class ZstdFrameCutter {
  readonly #field = Buffer.alloc(14);
  #filled = 0;
  /** Bytes of the field to collect, or 0 while skipping. */
  #wanted = 4;
  #skip = 0;
  #step: "magic" | "skippable" | "descriptor" | "header" | "block" | "data" | "end" = "magic";
  #last = false;
  #checksum = false;

  /** Whether the input so far ends where a frame does. */
  get atBoundary(): boolean {
    return this.#step === "magic" && this.#filled === 0;
  }

  /**
   * The index in `chunk` behind the first frame end at or after `from`, or the chunk's length.
   *
   * @throws Error when what follows a frame isn't one
   */
  next(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, chunk.length - at);
        this.#skip -= step;
        at += step;
        if (this.#skip > 0) return at;
      } else {
        this.#field[this.#filled++] = chunk[at++] as number;
        if (this.#filled < this.#wanted) continue;
        this.#filled = 0;
        this.#advance();
      }
      if (this.#skip === 0 && this.#settle()) return at;
    }
    return at;
  }

  /** A field is complete: decide what comes next. */
  #advance(): void {
    const field = this.#field;
    if (this.#step === "magic") {
      const magic = field.readUInt32LE(0);
      if (magic === 0xfd2fb528) this.#expect("descriptor", 1);
      else if (magic >>> 4 === 0x184d2a5) this.#expect("skippable", 4);
      else throw new Error("data behind a zstd frame are not another frame");
    } else if (this.#step === "skippable") {
      this.#skip = field.readUInt32LE(0);
      this.#step = "end";
    } else if (this.#step === "descriptor") {
      const descriptor = field[0] as number;
      const single = (descriptor & 0x20) !== 0;
      const sizeFlag = descriptor >> 6;
      const sizeBytes = sizeFlag === 0 ? (single ? 1 : 0) : 1 << sizeFlag;
      const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
      this.#checksum = (descriptor & 4) !== 0;
      this.#expect("header", sizeBytes + dictionaryBytes + (single ? 0 : 1));
    } else if (this.#step === "header") {
      this.#expect("block", 3);
    } else {
      const header = field.readUIntLE(0, 3);
      this.#last = (header & 1) === 1;
      const type = (header >> 1) & 3;
      this.#skip = type === 1 ? 1 : header >> 3;
      this.#step = "data";
    }
  }

  /** Moves on from what was skipped; true at the end of a frame. */
  #settle(): boolean {
    if (this.#step === "data") {
      if (!this.#last) this.#expect("block", 3);
      else {
        this.#skip = this.#checksum ? 4 : 0;
        this.#step = "end";
        if (this.#skip > 0) return false;
      }
    }
    if (this.#step !== "end") return false;
    this.#expect("magic", 4);
    return true;
  }

  #expect(step: "magic" | "skippable" | "descriptor" | "header" | "block", bytes: number): void {
    this.#step = step;
    this.#wanted = bytes;
  }
}
