/** Finds the body's bytes between the bytes of a connection: by length, by chunks, or until the end. */
import { HEAD_LIMIT, invalid, type BodyKind } from "./response-head.ts";

export interface BodyFraming {
  /** After {@link take}: where the body's bytes lie in the chunk it was given. */
  start: number;
  end: number;
  done: boolean;
  /** Reads one run of body bytes beginning at `from`; returns where to go on. */
  take(chunk: Uint8Array, from: number): number;
  /** Whether the connection may end here without anything missing. */
  readonly mayEnd: boolean;
}

export function openFraming(kind: BodyKind): BodyFraming {
  if (kind.kind === "length") return new LengthFraming(kind.length);
  return kind.kind === "chunked" ? new ChunkedFraming() : new CloseFraming();
}

class LengthFraming implements BodyFraming {
  start = 0;
  end = 0;
  done: boolean;
  readonly mayEnd = false;
  #remaining: number;

  constructor(length: number) {
    this.#remaining = length;
    this.done = length === 0;
  }

  take(chunk: Uint8Array, from: number): number {
    this.start = from;
    this.end = Math.min(chunk.length, from + this.#remaining);
    this.#remaining -= this.end - from;
    this.done = this.#remaining === 0;
    return this.end;
  }
}

class CloseFraming implements BodyFraming {
  start = 0;
  end = 0;
  done = false;
  readonly mayEnd = true;

  take(chunk: Uint8Array, from: number): number {
    this.start = from;
    this.end = chunk.length;
    return chunk.length;
  }
}

const LINE_LIMIT = 4096;

class ChunkedFraming implements BodyFraming {
  start = 0;
  end = 0;
  done = false;
  readonly mayEnd = false;
  #remaining = 0;
  #state: "size" | "data" | "data-end" | "trailer" = "size";
  #line = "";
  #trailerBytes = 0;

  take(chunk: Uint8Array, from: number): number {
    this.start = this.end = from;
    let position = from;
    while (position < chunk.length && !this.done) {
      if (this.#state === "data") return this.#takeData(chunk, position);
      position = this.#takeLine(chunk, position);
    }
    return position;
  }

  #takeData(chunk: Uint8Array, from: number): number {
    this.start = from;
    this.end = Math.min(chunk.length, from + this.#remaining);
    this.#remaining -= this.end - from;
    if (this.#remaining === 0) this.#state = "data-end";
    return this.end;
  }

  #takeLine(chunk: Uint8Array, from: number): number {
    const newline = chunk.indexOf(10, from);
    const end = newline < 0 ? chunk.length : newline;
    if (this.#line.length + end - from > LINE_LIMIT) throw invalid("a chunk's line is too long");
    this.#line += Buffer.from(chunk.buffer, chunk.byteOffset + from, end - from).toString("latin1");
    if (newline < 0) return chunk.length;
    const line = this.#line;
    this.#line = "";
    if (!line.endsWith("\r")) throw invalid("a chunk's line ends without a carriage return");
    this.#endLine(line.slice(0, -1));
    return newline + 1;
  }

  #endLine(line: string): void {
    if (this.#state === "data-end") {
      if (line !== "") throw invalid("a chunk is longer than it said");
      this.#state = "size";
    } else if (this.#state === "size") {
      const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line);
      if (size === null) throw invalid(`bad chunk size ${JSON.stringify(line.slice(0, 40))}`);
      this.#remaining = Number.parseInt(size[1] ?? "", 16);
      this.#state = this.#remaining === 0 ? "trailer" : "data";
    } else {
      this.#trailerBytes += line.length;
      if (this.#trailerBytes > HEAD_LIMIT) throw invalid("its trailer is too long");
      this.done = line === "";
    }
  }
}
