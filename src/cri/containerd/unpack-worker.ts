/**
 * Unpacking on a thread of its own. Files are made there while layers arrive here: making one can wait for the disk
 * for as long as containerd's own writes are being made durable.
 */
import { Worker } from "node:worker_threads";

import type { Digest, SignalOptions } from "../../oci/index.ts";
import { UnpackError, type UnpackErrorCode } from "../../unpack/index.ts";
import type { Arrival } from "./arrivals.ts";
import { UNPACK_PROGRAM } from "./unpack-program.ts";

export interface UnpackJob {
  /** The file with the layer, as it was fetched. */
  readonly file: string;
  /** An empty folder for it, and those of the layers below, the uppermost first. */
  readonly upper: string;
  readonly lower: readonly string[];
  readonly diffId: Digest;
}

export interface JobResult {
  /** How many things couldn't be set. */
  readonly leftOut: number;
}

/** How the unpacking of a layer ended whose bytes nobody had verified yet. */
export interface EarlyResult {
  /** What was read: device and inode. */
  readonly identity: string;
  /** What it would mean, if those bytes are right. */
  readonly meaning: JobResult | Error;
}

interface Answer {
  readonly identity: string;
  readonly leftOut?: number;
  readonly failure?: { readonly code: string | undefined; readonly message: string };
}

/** Milliseconds after which a thread without work ends. */
const IDLE = 10_000;

/** Small enough that what was inflated is let go of soon. */
const LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 };

/** Where the unpack room is: beside the sources, or as the package's export. */
const DOOR = import.meta.url.endsWith(".ts")
  ? new URL("../../unpack/index.ts", import.meta.url).href
  : import.meta.resolve("dray/unpack");

/** Threads that are started when they are needed, one job each at a time. */
export class UnpackWorkers implements AsyncDisposable {
  readonly #limit: number;
  readonly #idle: { readonly worker: Worker; readonly timer: NodeJS.Timeout }[] = [];
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #early = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws UnpackError, or the signal's reason: then the folder holds part of the layer */
  async run(job: UnpackJob, { signal }: SignalOptions = {}): Promise<JobResult> {
    signal?.throwIfAborted();
    if (this.#busy < this.#limit) this.#busy++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      const answer = await this.#perform(signal, (worker) => perform(worker, job, { signal }));
      return resultOf(answer);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy--;
      else next();
    }
  }

  /**
   * Unpacks a file while it grows. One at a time, on a thread that others needn't wait for: it may take as long as a
   * network needs. `undefined` while threads have other work, for then nothing is gained.
   *
   * @throws the signal's reason, or why the thread ended
   */
  async runEarly(
    job: UnpackJob & { readonly size: number },
    arrival: Arrival,
    { signal }: SignalOptions = {},
  ): Promise<EarlyResult | undefined> {
    if (this.#early || this.#busy > 0) return undefined;
    this.#early = true;
    try {
      const answer = await this.#perform(signal, (worker) => perform(worker, job, { signal, arrival }));
      return { identity: answer.identity, meaning: meaningOf(answer) };
    } finally {
      this.#early = false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { worker, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      await worker.terminate();
    }
  }

  async #perform(signal: AbortSignal | undefined, act: (worker: Worker) => Promise<Answer>): Promise<Answer> {
    signal?.throwIfAborted();
    let worker: Worker | undefined = this.#take();
    try {
      const answer = await act(worker);
      if (answer.failure === undefined) {
        this.#putBack(worker);
        worker = undefined;
      }
      return answer;
    } finally {
      // One that failed may have been left in the middle of something.
      await worker?.terminate();
    }
  }

  #take(): Worker {
    const idle = this.#idle.pop();
    if (idle === undefined) {
      // What Node was told of the program's own text, as by --input-type, isn't meant for this one.
      const own = { eval: true, execArgv: [] };
      return new Worker(UNPACK_PROGRAM, { ...own, workerData: DOOR, resourceLimits: LIMITS });
    }
    clearTimeout(idle.timer);
    idle.worker.ref();
    return idle.worker;
  }

  #putBack(worker: Worker): void {
    worker.unref();
    const timer = setTimeout(() => {
      const at = this.#idle.findIndex((idle) => idle.worker === worker);
      if (at >= 0) this.#idle.splice(at, 1);
      void worker.terminate();
    }, IDLE);
    timer.unref();
    this.#idle.push({ worker, timer });
  }
}

async function perform(
  worker: Worker,
  job: UnpackJob,
  { signal, arrival }: SignalOptions & { readonly arrival?: Arrival },
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const onExit = (): void => reject(new UnpackError("UNWRITABLE", "Cannot unpack a layer: its thread ended"));
  const onAbort = (): void => reject(signal?.reason);
  worker.on("message", resolve).on("error", reject).on("exit", onExit);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    worker.postMessage(job);
    let most = 0;
    using _watch = arrival?.watch((bytes) => {
      if (bytes < most) reject(new Error("The layer began again"));
      most = bytes;
      worker.postMessage({ arrived: bytes });
    });
    return await promise;
  } finally {
    worker.off("message", resolve).off("error", reject).off("exit", onExit);
    signal?.removeEventListener("abort", onAbort);
  }
}

function resultOf(answer: Answer): JobResult {
  const meaning = meaningOf(answer);
  if (meaning instanceof Error) throw meaning;
  return meaning;
}

/** Errors lose their class on the way from the thread. */
function meaningOf({ failure, leftOut = 0 }: Answer): JobResult | Error {
  if (failure === undefined) return { leftOut };
  const { code, message } = failure;
  if (code === undefined) return new Error(message);
  if (!/^E[A-Z]+$/.test(code)) return new UnpackError(code as UnpackErrorCode, message);
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new UnpackError(
    full ? "NO_SPACE" : "UNWRITABLE",
    `Cannot unpack a layer: ${full ? "no space left" : code}`,
  );
}
