import { Worker } from "node:worker_threads";

import type { ContentStream } from "../oci/index.ts";
import { UnpackError, type UnpackErrorCode } from "./errors.ts";
import type { FolderUnpackerOptions, UnpackedFacts } from "./folder-unpacker.ts";
import type { ImageUnpacker } from "./image-unpacker.ts";
import { type LayerExpectation, streamLayer } from "./layer-stream.ts";
import type { LayerFacts, PlainLayer } from "./layer-writer.ts";
import { LimitGuard } from "./limits.ts";
import {
  SLOT_BYTES,
  SLOTS,
  type ThreadAnswer,
  type ThreadData,
  type ThreadFailure,
  type ThreadOrder,
} from "./unpack-thread.ts";

/** Where the thread's code is: beside this file, or in the package's export when all files of the room are one. */
const DOOR = import.meta.url.endsWith(".ts")
  ? new URL("./unpack-thread.ts", import.meta.url).href
  : import.meta.resolve("dray/unpack");

const PROGRAM = `
const { parentPort, workerData: { door, data } } = require("node:worker_threads");
import(door).then(({ runUnpackThread }) => runUnpackThread(parentPort, data));
`;

/** What a thread makes of bytes is soon garbage; a little room for it is enough. */
const LIMITS = { maxYoungGenerationSizeMb: 8 };

/**
 * On a thread of its own: while it hashes uncompressed bytes and makes files of them, this one fetches, and zlib's
 * uncompresses what comes next, be it of the same layer or the following one.
 */
export class FarUnpacker implements ImageUnpacker {
  readonly #worker: Worker;
  readonly #limits: LimitGuard;
  readonly #memory = new SharedArrayBuffer(SLOTS * SLOT_BYTES);
  readonly #free: number[] = Array.from({ length: SLOTS }, (_, slot) => slot);
  readonly #waiting: (() => void)[] = [];
  readonly #layers: ((facts: LayerFacts) => void)[] = [];
  readonly #ended: Promise<void>;
  readonly #failing = Promise.withResolvers<never>();
  #finished: (facts: UnpackedFacts) => void = () => {};
  #settled: () => void = () => {};
  #failed = false;

  constructor(folder: string, options: FolderUnpackerOptions) {
    this.#limits = new LimitGuard(options.limits);
    const { limits, sameOwner, below, whiteouts, helpers } = options;
    const data: ThreadData = {
      folder,
      options: { limits, sameOwner, below, whiteouts, helpers, blocking: true },
      memory: this.#memory,
    };
    this.#failing.promise.catch(() => undefined);
    const workerData = { door: DOOR, data };
    // What Node was told of the program's own text, as by --input-type, isn't meant for this one.
    this.#worker = new Worker(PROGRAM, { eval: true, workerData, resourceLimits: LIMITS, execArgv: [] });
    this.#worker.on("message", (answer: ThreadAnswer) => this.#hear(answer));
    this.#ended = new Promise((resolve) => {
      this.#worker.on("error", (error) => this.#fail(lost(error)));
      this.#worker.on("exit", () => {
        this.#fail(lost());
        resolve();
      });
    });
  }

  async send(stream: ContentStream, expected: LayerExpectation): Promise<{ applied: Promise<LayerFacts> }> {
    const { descriptor, diffId } = expected;
    this.#order({ type: "begin", expected: { descriptor, diffId } });
    const layer: PlainLayer = {
      write: (chunk) => this.#write(chunk),
      end: () => this.#end(),
      close: () => undefined,
    };
    try {
      await streamLayer(stream, { layer, limits: this.#limits }, expected);
    } catch (error) {
      // What is wrong with earlier bytes comes first, as it would in one thread.
      if (expected.signal?.aborted !== true) await this.#settle();
      throw error;
    }
    const applied = this.#end();
    applied.catch(() => undefined);
    return { applied };
  }

  async finish(): Promise<UnpackedFacts> {
    const finished = new Promise<UnpackedFacts>((resolve) => (this.#finished = resolve));
    this.#order({ type: "finish" });
    return await this.#orFailure(finished);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#order({ type: "close" });
    await this.#ended;
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += SLOT_BYTES) {
      while (this.#free.length === 0 && !this.#failed) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
      if (this.#failed) return await this.#failing.promise;
      const slot = this.#free.pop() ?? 0;
      const part = chunk.subarray(at, at + SLOT_BYTES);
      new Uint8Array(this.#memory, slot * SLOT_BYTES, part.length).set(part);
      this.#order({ type: "chunk", slot, length: part.length });
    }
  }

  #end(): Promise<LayerFacts> {
    const facts = new Promise<LayerFacts>((resolve) => this.#layers.push(resolve));
    this.#order({ type: "end" });
    return this.#orFailure(facts);
  }

  async #settle(): Promise<void> {
    const settled = new Promise<void>((resolve) => (this.#settled = resolve));
    this.#order({ type: "settle" });
    await this.#orFailure(settled);
  }

  #orFailure<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failing.promise]);
  }

  #order(order: ThreadOrder): void {
    this.#worker.postMessage(order);
  }

  #hear(answer: ThreadAnswer): void {
    if (answer.type === "free") {
      this.#free.push(answer.slot);
      this.#waiting.shift()?.();
    } else if (answer.type === "layer") this.#layers.shift()?.(answer.facts);
    else if (answer.type === "finished") this.#finished(answer.facts);
    else if (answer.type === "settled") this.#settled();
    else this.#fail(toError(answer.failure));
  }

  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failing.reject(error);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

function toError({ deliberate, code, message, cause }: ThreadFailure): Error {
  const options = cause === undefined ? {} : { cause: new Error(cause) };
  if (deliberate && code !== undefined) return new UnpackError(code as UnpackErrorCode, message, options);
  return Object.assign(new Error(message, options), code === undefined ? {} : { code });
}

function lost(cause?: unknown): UnpackError {
  return new UnpackError("UNWRITABLE", "Cannot unpack the image: the thread that makes its files ended", {
    cause,
  });
}
