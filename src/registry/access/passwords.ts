/** Checks passwords against bcrypt hashes on a thread of its own: one check keeps a processor busy for 50 ms and more. */
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";

import type { Secret } from "../../internal/secret.ts";

/** More than these are turned away: whoever waits behind them would have given up. */
const MAX_WAITING = 200;

const BCRYPT = /^\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}$/;

export function isBcryptHash(text: string): boolean {
  return BCRYPT.test(text);
}

/** The cost in a hash: every step up doubles the time. */
export function costOf(hash: string): number {
  return Number(hash.slice(4, 6));
}

/** A hash that no password has, as slow to find out about as others of that cost. */
export function hashOfNothing(cost: number): string {
  return `$2b$${String(cost).padStart(2, "0")}$${".".repeat(53)}`;
}

interface Waiting {
  readonly resolve: (matches: boolean) => void;
  readonly reject: (error: Error) => void;
}

/** The thread's program, as text: a bundle has one file less to find. A hash that makes no sense matches nothing. */
const PROGRAM = `
const { parentPort, workerData } = require("node:worker_threads");
const bcrypt = require(workerData);
parentPort.on("message", ({ id, password, hash }) => {
  let matches = false;
  try { matches = bcrypt.compareSync(password, hash); } catch {}
  parentPort.postMessage({ id, matches });
});
`;

export class PasswordChecker implements AsyncDisposable {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #next = 0;

  /** Whether the password has this hash; `undefined` when too many others wait for an answer. */
  async check(password: Secret, hash: string): Promise<boolean | undefined> {
    if (this.#waiting.size >= MAX_WAITING) return undefined;
    const worker = (this.#worker ??= this.#start());
    const id = this.#next++;
    return await new Promise<boolean>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, password: password.reveal(), hash });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): Worker {
    const library = createRequire(import.meta.url).resolve("bcryptjs");
    // What Node was told of the program's own text, as by --input-type, isn't meant for this one.
    const worker = new Worker(PROGRAM, { eval: true, workerData: library, execArgv: [] });
    worker.unref();
    worker.on("message", ({ id, matches }: { readonly id: number; readonly matches: boolean }) => {
      this.#waiting.get(id)?.resolve(matches);
      this.#waiting.delete(id);
      // A process with nothing else to do may end.
      if (this.#waiting.size === 0) worker.unref();
    });
    const fail = (error: Error): void => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    worker.on("error", fail);
    worker.on("exit", () => fail(new Error("Cannot check a password: the thread for it ended")));
    return worker;
  }
}
