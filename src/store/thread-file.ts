import type { Digest, DigestAlgorithm } from "../oci/index.ts";
import type { ThreadAnswer, ThreadTask, WriterThread, WriterThreads } from "./writer-threads.ts";

/** Smaller chunks are gathered: handing over costs the same for few bytes as for many. */
const GATHERED_BELOW = 16 * 1024;
const GATHER_BYTES = 64 * 1024;
/** A thread is woken for so much at least, unless there's no more. */
const BATCH_BYTES = 256 * 1024;
/** So much may wait behind what is being written. */
const MAX_QUEUED_BYTES = 1024 * 1024;

let files = 0;

/** What an ingest's file needs to know of whoever has it open. */
export interface ThreadFileUse {
  readonly fd: number;
  /** Told when bytes have reached the file. */
  readonly onWritten: () => void;
}

/**
 * The bytes of one file, on their way through a thread that writes and hashes them. Outlives the file's being open,
 * so that the hashes can go on when the next chunk of an upload comes.
 */
export class ThreadFile {
  readonly algorithms: readonly DigestAlgorithm[];
  readonly #threads: WriterThreads;
  readonly #thread: WriterThread;
  readonly #file = ++files;
  #use: ThreadFileUse;
  #written = 0;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #flyingBytes = 0;
  #flying: Promise<void> | undefined;
  #gathered: Buffer | undefined;
  #gatheredBytes = 0;
  #failure: Error | undefined;

  /** Continues behind the first `offset` bytes, which are in the file. */
  constructor(
    pool: { readonly threads: WriterThreads; readonly thread: WriterThread },
    use: ThreadFileUse,
    begin: { readonly algorithms: readonly DigestAlgorithm[]; readonly offset: number },
  ) {
    this.#threads = pool.threads;
    this.#thread = pool.thread;
    this.#use = use;
    this.algorithms = begin.algorithms;
    this.#thread.files++;
    this.#tell({ kind: "begin", file: this.#file, algorithms: begin.algorithms });
    if (begin.offset > 0) this.#tell({ kind: "rewind", file: this.#file, fd: use.fd, offset: begin.offset });
    this.#written = begin.offset;
  }

  /** Bytes received: written, being written, and waiting. */
  get offset(): number {
    return this.#written + this.#flyingBytes + this.#queuedBytes + this.#gatheredBytes;
  }

  /** Bytes in the file. */
  get written(): number {
    return this.#written;
  }

  get lives(): boolean {
    return this.#thread.lives;
  }

  /** Somebody else has the file open now; what is refused of their bytes goes back to here. */
  reopen(use: ThreadFileUse): void {
    this.#use = use;
    this.#tell({ kind: "mark", file: this.#file });
  }

  /** @throws what went wrong with earlier bytes, once; it and all that came after it are not part of the file */
  push(chunk: Uint8Array, given: boolean): void | Promise<void> {
    this.#throwFailure();
    if (chunk.length < GATHERED_BELOW) {
      this.#gather(chunk);
      if (given) letGo(chunk);
    } else {
      this.#enqueueGathered();
      this.#enqueue(given && ownsMemory(chunk) ? chunk : new Uint8Array(chunk));
    }
    const crowded = this.#threads.areCrowded;
    if (this.#flying === undefined && (crowded || this.#queuedBytes >= BATCH_BYTES)) this.#send();
    if (crowded || this.#queuedBytes >= MAX_QUEUED_BYTES) return this.#flying;
  }

  /** Resolves when all bytes are in the file; @throws like `push()` */
  async settle(): Promise<void> {
    this.#enqueueGathered();
    while (this.#queuedBytes > 0 || this.#flying !== undefined) {
      if (this.#flying === undefined) this.#send();
      await this.#flying;
    }
    this.#throwFailure();
  }

  /** Forgets what waits, and resolves when the thread has nothing to do with the open file any more. */
  async stop(): Promise<void> {
    this.#dropQueue();
    await this.#flying;
  }

  /** Counts the first `offset` bytes only: the file holds no more. To be called when it has settled. */
  async rewind(offset: number): Promise<void> {
    await this.#ask({ kind: "rewind", file: this.#file, fd: this.#use.fd, offset });
    this.#written = offset;
  }

  /** The digests of what is in the file. To be called when it has settled. */
  async digests(): Promise<readonly Digest[]> {
    const { digests = [] } = await this.#ask({ kind: "digests", file: this.#file });
    return this.algorithms.map((algorithm, at) => `${algorithm}:${digests[at] ?? ""}` as Digest);
  }

  /** Lets go of the hashes. */
  forget(): void {
    this.#thread.files--;
    this.#tell({ kind: "forget", file: this.#file });
  }

  #gather(chunk: Uint8Array): void {
    if (this.#gatheredBytes + chunk.length > GATHER_BYTES) this.#enqueueGathered();
    this.#gathered ??= Buffer.allocUnsafeSlow(GATHER_BYTES);
    this.#gathered.set(chunk, this.#gatheredBytes);
    this.#gatheredBytes += chunk.length;
    this.#threads.heldBytes += chunk.length;
  }

  #enqueueGathered(): void {
    if (this.#gathered === undefined || this.#gatheredBytes === 0) return;
    const bytes = this.#gathered.subarray(0, this.#gatheredBytes);
    this.#threads.heldBytes -= bytes.length;
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
    this.#enqueue(bytes);
  }

  #enqueue(chunk: Uint8Array): void {
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    this.#threads.heldBytes += chunk.length;
  }

  #dropQueue(): void {
    this.#threads.heldBytes -= this.#queuedBytes + this.#gatheredBytes;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
  }

  #send(): void {
    this.#enqueueGathered();
    const chunks = this.#queue;
    const bytes = this.#queuedBytes;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#flyingBytes = bytes;
    const task: ThreadTask = {
      kind: "append",
      file: this.#file,
      fd: this.#use.fd,
      at: this.#written,
      chunks,
    };
    this.#flying = this.#ask(
      task,
      chunks.map((chunk) => chunk.buffer as ArrayBuffer),
    ).then(
      ({ written = 0 }) => this.#arrive(bytes, written),
      (error: unknown) => this.#arrive(bytes, writtenOf(error), error as Error),
    );
  }

  /** Never rejects: whoever waits for room is told by the next call what became of the bytes. */
  #arrive(bytes: number, written: number, failure?: Error): void {
    this.#threads.heldBytes -= bytes;
    this.#flyingBytes = 0;
    this.#flying = undefined;
    this.#written += written;
    if (failure !== undefined) {
      this.#failure ??= failure;
      this.#dropQueue();
    } else if (this.#queuedBytes >= BATCH_BYTES) {
      this.#send();
    }
    this.#use.onWritten();
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  /** Asks for what gives no answer but a failure. */
  #tell(task: ThreadTask): void {
    this.#ask(task).catch((error: unknown) => (this.#failure ??= error as Error));
  }

  async #ask(task: ThreadTask, handedOver?: readonly ArrayBuffer[]): Promise<ThreadAnswer> {
    const answer = await this.#thread.ask(task, handedOver);
    if (answer.failure === undefined) return answer;
    const { code, message } = answer.failure;
    throw Object.assign(new Error(message), { code, written: answer.written });
  }
}

/** Frees the memory of a chunk that nobody needs any more, without waiting for a collector to notice how much it is. */
export function letGo(chunk: Uint8Array): void {
  if (ownsMemory(chunk)) chunk.buffer.transfer(0);
}

/** Small buffers share theirs with others. */
function ownsMemory(chunk: Uint8Array): chunk is Uint8Array<ArrayBuffer> {
  const { buffer, length } = chunk;
  return buffer instanceof ArrayBuffer && length > 0 && length === buffer.byteLength;
}

function writtenOf(error: unknown): number {
  return error instanceof Error && "written" in error && typeof error.written === "number"
    ? error.written
    : 0;
}
