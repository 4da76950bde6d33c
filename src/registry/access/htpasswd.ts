import { readFile, stat } from "node:fs/promises";

import { RegistryError } from "../errors.ts";
import { costOf, isBcryptHash } from "./passwords.ts";

/** How often a file is looked at for changes, in milliseconds, while requests come. */
const LOOK_EVERY = 1_000;

/**
 * Reads the text of an htpasswd file: `name:hash` in each line, made by `htpasswd -B`.
 *
 * @throws RegistryError `CONFIG_INVALID` with the line
 */
export function parseHtpasswd(text: string, path: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const invalid = (why: string): RegistryError =>
      new RegistryError("CONFIG_INVALID", `Cannot use ${JSON.stringify(path)}, line ${index + 1}: ${why}`);
    const colon = line.indexOf(":");
    if (colon < 1) throw invalid("it is not NAME:HASH; write it with htpasswd -B");
    const name = line.slice(0, colon);
    const hash = line.slice(colon + 1).trim();
    if (name.startsWith("robot+"))
      throw invalid('names that begin with "robot+" are for robots; choose another');
    if (users.has(name))
      throw invalid(`user ${JSON.stringify(name)} is there twice; delete one of the lines`);
    if (!isBcryptHash(hash)) {
      throw invalid(`the hash of user ${JSON.stringify(name)} is not bcrypt; write it anew with htpasswd -B`);
    }
    users.set(name, hash);
  }
  return users;
}

/** The users of a file, read again whenever it changes. A change that can't be read leaves what was there before. */
export class HtpasswdFile {
  readonly #path: string;
  readonly #clock: () => number;
  readonly #onFailure: (error: unknown) => void;
  #users: ReadonlyMap<string, string>;
  #stamp: string;
  #lookedAt: number;
  #looking: Promise<void> | undefined;
  #version = 0;

  private constructor(
    path: string,
    users: ReadonlyMap<string, string>,
    stamp: string,
    options: HtpasswdOptions,
  ) {
    this.#path = path;
    this.#users = users;
    this.#stamp = stamp;
    this.#clock = options.clock;
    this.#onFailure = options.onFailure;
    this.#lookedAt = options.clock();
  }

  /** @throws RegistryError `CONFIG_UNREADABLE`, `CONFIG_INVALID` */
  static async open(path: string, options: HtpasswdOptions): Promise<HtpasswdFile> {
    const { users, stamp } = await read(path);
    return new HtpasswdFile(path, users, stamp, options);
  }

  /** Another number after every change. */
  get version(): number {
    return this.#version;
  }

  find(name: string): string | undefined {
    return this.#users.get(name);
  }

  /** The highest cost among the hashes, so that unknown names can be made as slow to refuse as known ones. */
  get cost(): number {
    return Math.max(0, ...[...this.#users.values()].map(costOf));
  }

  /** Looks for changes if it is time to; resolves at once otherwise. */
  look(): Promise<void> | undefined {
    if (this.#looking === undefined && this.#clock() - this.#lookedAt >= LOOK_EVERY) {
      this.#lookedAt = this.#clock();
      this.#looking = this.#reload().finally(() => (this.#looking = undefined));
    }
    return this.#looking;
  }

  async #reload(): Promise<void> {
    try {
      if (stampOf(await stat(this.#path)) === this.#stamp) return;
      const { users, stamp } = await read(this.#path);
      this.#users = users;
      this.#stamp = stamp;
      this.#version++;
    } catch (error) {
      this.#onFailure(error);
    }
  }
}

interface HtpasswdOptions {
  readonly clock: () => number;
  /** Told of changes that can't be used. */
  readonly onFailure: (error: unknown) => void;
}

async function read(path: string): Promise<{ users: ReadonlyMap<string, string>; stamp: string }> {
  let text: string;
  let stamp: string;
  try {
    // Asked before reading: what changes in between is seen at the next look.
    stamp = stampOf(await stat(path));
    text = await readFile(path, "utf8");
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : "it cannot be read";
    const message = `Cannot read users from ${JSON.stringify(path)}: ${why}`;
    throw new RegistryError("CONFIG_UNREADABLE", message, { cause });
  }
  return { users: parseHtpasswd(text, path), stamp };
}

function stampOf(stats: { readonly mtimeMs: number; readonly size: number; readonly ino: number }): string {
  return `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
}
