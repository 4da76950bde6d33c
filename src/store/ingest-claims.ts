/**
 * Who may write which ingest, among all processes that share a folder.
 *
 * Every store that writes holds a kernel lock on a file of its own for as long as it lives, and puts that file's
 * name beside the ingests it writes. A claim counts while its owner's lock is held, so a killed process loses its
 * claims in the moment it dies.
 *
 * ```text
 * ingest/mutex            one claim is looked at and taken at a time
 * ingest/owners/<uuid>    locked by the store <uuid> while it lives
 * ingest/<name>.owner     holds <uuid>
 * ```
 */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { FileLock, FileMutex } from "../internal/file-lock.ts";
import { isMissing } from "./file-errors.ts";

const UUID = /^[0-9a-f-]{36}$/;

export class IngestClaims {
  readonly #folder: string;
  readonly #id: string = randomUUID();
  readonly #mutex: FileMutex;
  #life: FileLock | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#mutex = new FileMutex(join(folder, "mutex"));
  }

  /** Runs `body`, which must not await, while no other process is inside. */
  exclusively<Result>(body: () => Result): Result {
    return this.#mutex.run(body);
  }

  /** Takes a claim; `false` when another living owner, or this one already, has it. */
  take(name: string): boolean {
    return this.#mutex.run(() => {
      this.#life ??= this.#beginLife();
      if (this.#ownerLives(name)) return false;
      writeFileSync(this.#ownerPath(name), this.#id);
      return true;
    });
  }

  /** Runs `body` if nobody has the claim, and keeps others from taking it meanwhile; whether it ran. */
  whileFree(name: string, body: () => void): boolean {
    return this.#mutex.run(() => {
      if (this.#ownerLives(name)) return false;
      body();
      rmSync(this.#ownerPath(name), { force: true });
      return true;
    });
  }

  release(name: string): void {
    rmSync(this.#ownerPath(name), { force: true });
  }

  close(): void {
    // Under the mutex, or somebody could find our lock free and our claims up for grabs half way.
    if (this.#life !== undefined) {
      this.#mutex.run(() => {
        this.#life?.release();
        rmSync(this.#lifePath(this.#id), { force: true });
      });
      this.#life = undefined;
    }
    this.#mutex.close();
  }

  #beginLife(): FileLock {
    mkdirSync(join(this.#folder, "owners"), { recursive: true });
    this.#buryTheDead();
    const lock = FileLock.tryAcquire(this.#lifePath(this.#id));
    if (lock === undefined) throw new Error(`lock ${this.#id} is new, yet held`);
    return lock;
  }

  /** Lock files of killed processes would pile up otherwise. */
  #buryTheDead(): void {
    for (const id of readdirSync(join(this.#folder, "owners"))) {
      if (UUID.test(id) && id !== this.#id) this.#lives(id);
    }
  }

  #ownerLives(name: string): boolean {
    let id: string;
    try {
      id = readFileSync(this.#ownerPath(name), "utf8");
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
    // A crash or a full disk may have left half a name.
    return UUID.test(id) && (id === this.#id || this.#lives(id));
  }

  #lives(id: string): boolean {
    const path = this.#lifePath(id);
    if (!existsSync(path)) return false;
    const lock = FileLock.tryAcquire(path);
    if (lock === undefined) return true;
    lock.release();
    rmSync(path, { force: true });
    return false;
  }

  #lifePath(id: string): string {
    return join(this.#folder, "owners", id);
  }

  #ownerPath(name: string): string {
    return join(this.#folder, `${name}.owner`);
  }
}
