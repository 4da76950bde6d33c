/**
 * Unpacking on a thread of its own. Files are made there while layers arrive here: making one can wait for the disk
 * for as long as containerd's own writes are being made durable.
 */
import { Worker } from "node:worker_threads";

import type { Digest, SignalOptions } from "../../oci/index.ts";
import { UnpackError, type UnpackErrorCode } from "../../unpack/index.ts";

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

type Answer =
  | { readonly leftOut: number }
  | { readonly failure: { readonly code: string | undefined; readonly message: string } };

/** Milliseconds after which a thread without work ends. */
const IDLE = 10_000;

/** Small enough that what was inflated is let go of soon. */
const LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 };

/** Where the unpack room is: beside the sources, or as the package's export. */
const DOOR = import.meta.url.endsWith(".ts")
  ? new URL("../../unpack/index.ts", import.meta.url).href
  : import.meta.resolve("dray/unpack");

const PROGRAM = `
const { open } = require("node:fs/promises");
const { setFlagsFromString } = require("node:v8");
const { runInNewContext } = require("node:vm");
const { parentPort, workerData } = require("node:worker_threads");
const CHUNK = 256 * 1024;
const COLLECT = 16;
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
async function openFile(path) {
  const handle = await open(path, "r");
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  return {
    pump: async (consume) => {
      for (let read = 0; ; read++) {
        const { bytesRead } = await handle.read(buffer, 0, CHUNK);
        if (bytesRead === 0) return;
        // V8 sees little buffers that stand for much memory, and would let them pile up.
        if (read % COLLECT === 0) collect({ type: "minor" });
        await consume(buffer.subarray(0, bytesRead));
      }
    },
    close: () => handle.close(),
  };
}
parentPort.on("message", async ({ file, upper, lower, diffId }) => {
  try {
    const { applyLayer } = await import(workerData);
    const options = { below: lower, whiteouts: "overlay", diffId };
    const { leftOut } = await applyLayer(await openFile(file), upper, options);
    parentPort.postMessage({ leftOut: leftOut.length });
  } catch (error) {
    parentPort.postMessage({ failure: { code: error?.code, message: String(error?.message ?? error) } });
  }
});
`;

/** Threads that are started when they are needed, one job each at a time. */
export class UnpackWorkers implements AsyncDisposable {
  readonly #limit: number;
  readonly #idle: { readonly worker: Worker; readonly timer: NodeJS.Timeout }[] = [];
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws UnpackError, or the signal's reason: then the folder holds part of the layer */
  async run(job: UnpackJob, { signal }: SignalOptions = {}): Promise<JobResult> {
    signal?.throwIfAborted();
    if (this.#busy < this.#limit) this.#busy++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let worker: Worker | undefined;
    try {
      signal?.throwIfAborted();
      worker = this.#take();
      const answer = await perform(worker, job, signal);
      this.#putBack(worker);
      worker = undefined;
      return answer;
    } finally {
      // One that failed may have been left in the middle of something.
      await worker?.terminate();
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy--;
      else next();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { worker, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      await worker.terminate();
    }
  }

  #take(): Worker {
    const idle = this.#idle.pop();
    if (idle === undefined)
      return new Worker(PROGRAM, { eval: true, workerData: DOOR, resourceLimits: LIMITS });
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

async function perform(worker: Worker, job: UnpackJob, signal: AbortSignal | undefined): Promise<JobResult> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const onExit = (): void => reject(new UnpackError("UNWRITABLE", "Cannot unpack a layer: its thread ended"));
  const onAbort = (): void => reject(signal?.reason);
  worker.on("message", resolve).on("error", reject).on("exit", onExit);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    worker.postMessage(job);
    const answer = await promise;
    if ("failure" in answer) throw toError(answer.failure);
    return answer;
  } finally {
    worker.off("message", resolve).off("error", reject).off("exit", onExit);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Errors lose their class on the way from the thread. */
function toError({ code, message }: { readonly code: string | undefined; readonly message: string }): Error {
  if (code === undefined) return new Error(message);
  if (!/^E[A-Z]+$/.test(code)) return new UnpackError(code as UnpackErrorCode, message);
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new UnpackError(
    full ? "NO_SPACE" : "UNWRITABLE",
    `Cannot unpack a layer: ${full ? "no space left" : code}`,
  );
}
