/**
 * Images of a store that nobody is to collect, each a file:
 *
 * ```text
 * <data dir>/pins/sha256-<hex of the name's digest>   {"image":"docker.io/library/busybox:1.36","pinnedAt":"…"}
 * ```
 *
 * Pins are names: what a name points at when images are collected is what stays. Any process may add and remove pins;
 * whoever serves or collects images looks at the folder each time.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { syncFolder, writeFileAtomically } from "../internal/atomic-write.ts";
import { makeFolder } from "../internal/make-folder.ts";
import { formatReference, parseDockerRef } from "../reference/index.ts";

export interface ImagePin {
  /** Canonical: `docker.io/library/busybox:1.36`. */
  readonly image: string;
  /** Milliseconds since the epoch; `undefined` where the file doesn't say. */
  readonly pinnedAt: number | undefined;
}

const FILE = /^sha256-[0-9a-f]{64}$/;

export class PinFolder {
  readonly #folder: string;

  /** @param dataDir the store's folder; nothing is made in it before the first pin */
  constructor(dataDir: string) {
    this.#folder = join(dataDir, "pins");
  }

  /** Sorted by name. A file that is no pin is passed over: one that can't be read keeps no image. */
  async list(): Promise<readonly ImagePin[]> {
    const files = (await readNames(this.#folder)).filter((name) => FILE.test(name));
    const pins = await Promise.all(files.map((name) => readPin(join(this.#folder, name))));
    return pins.filter((pin) => pin !== undefined).toSorted((a, b) => (a.image < b.image ? -1 : 1));
  }

  /** Whether it wasn't pinned before. @throws InvalidReferenceError */
  async add(image: string, now: number): Promise<boolean> {
    const name = pinName(image);
    const path = this.#pathOf(name);
    if ((await readPin(path)) !== undefined) return false;
    makeFolder(this.#folder, { mode: 0o755 });
    const pinnedAt = new Date(now).toISOString();
    await writeFileAtomically(path, `${JSON.stringify({ image: name, pinnedAt })}\n`);
    return true;
  }

  /** Whether it was pinned. @throws InvalidReferenceError */
  async remove(image: string): Promise<boolean> {
    const path = this.#pathOf(pinName(image));
    try {
      await rm(path);
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
    await syncFolder(this.#folder);
    return true;
  }

  #pathOf(name: string): string {
    return join(this.#folder, `sha256-${createHash("sha256").update(name).digest("hex")}`);
  }
}

/** As a store names what is pulled by this text. */
export function pinName(image: string): string {
  return formatReference(parseDockerRef(image));
}

async function readNames(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function readPin(path: string): Promise<ImagePin | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    // Unpinned meanwhile.
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const { image, pinnedAt } = JSON.parse(text) as { readonly image?: unknown; readonly pinnedAt?: unknown };
    if (typeof image !== "string" || image === "") return undefined;
    const time = typeof pinnedAt === "string" ? Date.parse(pinnedAt) : Number.NaN;
    return { image, pinnedAt: Number.isNaN(time) ? undefined : time };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
