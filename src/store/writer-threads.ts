/**
 * Threads that write and hash for large ingests, so that the one that reads sockets can read on. They are started when
 * the first large ingest comes and live as long as the store.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

import type { DigestAlgorithm } from "../oci/index.ts";

/** Hashing goes about as fast as one thread reads sockets: more of them than this would have nothing to do. */
const MAX_THREADS = 4;
/** Bytes on their way to the disk from which on every ingest waits for its own, however many there are. */
const CROWDED_BYTES = 16 * 1024 * 1024;

/** A thread's objects are few and short-lived; the bytes are outside of its heap. */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

/** What a thread is asked to do with a file that it knows by number; answers come in the order of the questions. */
export type ThreadTask = { readonly file: number } & (
  | { readonly kind: "begin"; readonly algorithms: readonly DigestAlgorithm[] }
  /** Writes at the end of the `at` bytes that were hashed so far, and hashes what it has written. */
  | { readonly kind: "append"; readonly fd: number; readonly at: number; readonly chunks: Uint8Array[] }
  /** Remembers the hashes of what is there now. */
  | { readonly kind: "mark" }
  /** Has the hashes of the first `offset` bytes, reading what lies behind the mark. */
  | { readonly kind: "rewind"; readonly fd: number; readonly offset: number }
  | { readonly kind: "digests" }
  | { readonly kind: "forget" }
);

export interface ThreadFailure {
  readonly code?: string | undefined;
  readonly message: string;
}

export interface ThreadAnswer {
  readonly failure?: ThreadFailure | undefined;
  /** For `append`: the bytes that were written, which is less than all only with a failure. */
  readonly written?: number | undefined;
  /** For `digests`: in hexadecimal, in the order of the algorithms. */
  readonly digests?: readonly string[] | undefined;
}

/**
 * The thread's program, as text: a bundle has one file less to find. Chunks are let go of by hand, since a collector
 * sees little objects that stand for much memory and lets them pile up.
 */
const PROGRAM = `
const { createHash } = require("node:crypto");
const { readSync, writevSync } = require("node:fs");
const { parentPort } = require("node:worker_threads");
const READ = 1024 * 1024;
const files = new Map();
const copy = (hashes) => hashes.map((hash) => hash.copy());
function update({ hashes }, bytes) {
  for (const hash of hashes) hash.update(bytes);
}
function append(known, fd, at, chunks) {
  let written = 0;
  try {
    while (chunks.length > 0) {
      let bytes = writevSync(fd, chunks, at + written);
      written += bytes;
      known.offset += bytes;
      while (bytes > 0) {
        const [chunk] = chunks;
        const part = bytes < chunk.length ? chunk.subarray(0, bytes) : chunk;
        update(known, part);
        bytes -= part.length;
        if (part.length < chunk.length) chunks[0] = chunk.subarray(part.length);
        else chunks.shift().buffer.transfer(0);
      }
    }
    return { written };
  } catch (error) {
    return { written, failure: { code: error.code, message: error.message } };
  }
}
function rewind(known, fd, offset) {
  const { mark } = known;
  if (offset >= mark.offset) {
    known.hashes = copy(mark.hashes);
    known.offset = mark.offset;
  } else {
    known.hashes = known.algorithms.map((algorithm) => createHash(algorithm));
    known.offset = 0;
    known.mark = { hashes: copy(known.hashes), offset: 0 };
  }
  const buffer = Buffer.allocUnsafeSlow(Math.min(READ, offset - known.offset));
  while (known.offset < offset) {
    const bytes = readSync(fd, buffer, 0, Math.min(READ, offset - known.offset), known.offset);
    if (bytes === 0) throw new Error("the file is shorter than what was written to it");
    update(known, buffer.subarray(0, bytes));
    known.offset += bytes;
  }
  if (buffer.length > 0) buffer.buffer.transfer(0);
}
function perform(task) {
  const known = files.get(task.file);
  switch (task.kind) {
    case "begin": {
      const hashes = task.algorithms.map((algorithm) => createHash(algorithm));
      files.set(task.file, {
        algorithms: task.algorithms, hashes, offset: 0, mark: { hashes: copy(hashes), offset: 0 },
      });
      return {};
    }
    case "append":
      return append(known, task.fd, task.at, task.chunks);
    case "mark":
      known.mark = { hashes: copy(known.hashes), offset: known.offset };
      return {};
    case "rewind":
      rewind(known, task.fd, task.offset);
      return {};
    case "digests":
      return { digests: copy(known.hashes).map((hash) => hash.digest("hex")) };
    case "forget":
      files.delete(task.file);
      return {};
  }
}
parentPort.on("message", (task) => {
  let answer;
  try {
    answer = perform(task);
  } catch (error) {
    answer = { failure: { code: error.code, message: error.message } };
  }
  parentPort.postMessage(answer);
});
`;

interface Waiting {
  readonly resolve: (answer: ThreadAnswer) => void;
  readonly reject: (error: Error) => void;
}

export class WriterThread {
  /** Ingests that it works for. */
  files = 0;
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #ended: Error | undefined;

  constructor() {
    // What Node was told of the program's own text, as by --input-type, isn't meant for this one.
    this.#worker = new Worker(PROGRAM, { eval: true, resourceLimits: LIMITS, execArgv: [] });
    this.#worker.unref();
    this.#worker.on("message", (answer: ThreadAnswer) => {
      this.#waiting.shift()?.resolve(answer);
      // A process with nothing else to do may end.
      if (this.#waiting.length === 0) this.#worker.unref();
    });
    this.#worker.on("error", (error: Error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("the thread that writes it ended")));
  }

  /** Whether it still knows its files. */
  get lives(): boolean {
    return this.#ended === undefined;
  }

  /** Rejects only when the thread has ended; what the system refused is part of the answer. */
  ask(task: ThreadTask, handedOver: readonly ArrayBuffer[] = []): Promise<ThreadAnswer> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#worker.postMessage(task, handedOver);
      if (this.#waiting.length === 0) this.#worker.ref();
      this.#waiting.push({ resolve, reject });
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }
}

/** The threads of one store. */
export class WriterThreads {
  /** Bytes that wait for a thread or are being written by one. */
  heldBytes = 0;
  readonly #limit: number;
  #threads: WriterThread[] = [];
  #closed = false;

  /** `limit`: by default one less than there are processors; 0 for none. */
  constructor(limit: number = Math.min(MAX_THREADS, availableParallelism() - 1)) {
    this.#limit = limit;
  }

  get areCrowded(): boolean {
    return this.heldBytes >= CROWDED_BYTES;
  }

  /** The thread with the least to do; `undefined` where a processor is all there is. */
  pick(): WriterThread | undefined {
    if (this.#closed || this.#limit < 1) return undefined;
    this.#threads = this.#threads.filter((thread) => thread.lives);
    const [least] = this.#threads.toSorted((a, b) => a.files - b.files);
    if (least !== undefined && (least.files === 0 || this.#threads.length >= this.#limit)) return least;
    const fresh = new WriterThread();
    this.#threads.push(fresh);
    return fresh;
  }

  /** Once no ingest is left that uses them. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#threads.splice(0).map((thread) => thread.end()));
  }
}
