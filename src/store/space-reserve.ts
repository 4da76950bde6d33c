import { closeSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";

import { DrayError } from "../errors.ts";

const NAME = "reserve";
/** Enough for the database to write down what is removed, image after image. */
const SIZE = 1024 * 1024;
const FULL: ReadonlySet<string> = new Set(["NO_SPACE", "DATABASE_FULL"]);

/**
 * Room that is kept for the moment when the disk is full. A removal is written down before it frees anything, so
 * without this a full disk would stay full: the file `reserve` in the data folder goes first, and comes back when there
 * is room again.
 *
 * ```text
 * first write ─► fill()      a removal fails for want of room ─► makesWay(): once more      collected, or closed ─► restore()
 * ```
 */
export class SpaceReserve {
  readonly #path: string;
  readonly #size: number;
  #givenUp = false;

  constructor(folder: string, size: number = SIZE) {
    this.#path = join(folder, NAME);
    this.#size = size;
  }

  /** Takes as much as is missing; quietly takes nothing where there is no room for all of it. */
  fill(): void {
    if (this.#held() === this.#size) return;
    try {
      this.#write();
    } catch {
      // What is half there would only be in the way.
      this.release();
    }
  }

  /** Gives the room back if that may help against a failure: then it is worth another try. */
  makesWay(failure: unknown): boolean {
    if (!(failure instanceof DrayError) || !FULL.has(failure.code) || !this.release()) return false;
    this.#givenUp = true;
    return true;
  }

  /** Takes what {@link makesWay} gave. */
  restore(): void {
    if (!this.#givenUp) return;
    this.#givenUp = false;
    this.fill();
  }

  /** Gives the room back; whether there was any. */
  release(): boolean {
    const held = this.#held();
    rmSync(this.#path, { force: true });
    return held > 0;
  }

  #held(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  #write(): void {
    const fd = openSync(this.#path, "w", 0o600);
    try {
      // File systems keep holes, and what compresses, in less room.
      const bytes = randomBytes(this.#size);
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    } finally {
      closeSync(fd);
    }
  }
}
