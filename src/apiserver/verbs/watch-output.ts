/** So much may wait for a client that reads slowly; then it is let go, and resumes from where it was. */
const MAX_PENDING = 32 * 1024 * 1024;
/** Handed to the stream ahead of its reader. */
const HIGH_WATER = 64 * 1024;

/** Bytes from whoever writes them to a stream whose reader takes its time. */
export class WatchOutput {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #ending = new AbortController();
  readonly #onEnd: (() => void)[] = [];
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #pending: Uint8Array[] = [];
  #size = 0;

  constructor() {
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller): void => void (this.#controller = controller),
        pull: () => this.#drain(),
        cancel: () => this.#finish(),
      },
      { highWaterMark: HIGH_WATER, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  /** Aborted when nothing can be written any more. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  get ended(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Called once, when the stream ends for whatever reason. */
  onEnd(callback: () => void): void {
    if (this.ended) callback();
    else this.#onEnd.push(callback);
  }

  write(chunk: Uint8Array | string): void {
    if (this.ended) return;
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, "utf8") : chunk;
    this.#pending.push(bytes);
    this.#size += bytes.length;
    if ((this.#controller?.desiredSize ?? 0) > 0) this.#drain();
    if (this.#size > MAX_PENDING) this.end();
  }

  /** What was written still reaches the reader. */
  end(): void {
    if (this.ended) return;
    this.#drain();
    this.#finish();
    this.#controller?.close();
  }

  #finish(): void {
    if (this.ended) return;
    this.#ending.abort();
    for (const callback of this.#onEnd.splice(0)) callback();
  }

  #drain(): void {
    if (this.#pending.length === 0 || this.ended) return;
    const pending = this.#pending;
    // Before handing over: a waiting reader is served at once, and comes back here for more.
    this.#pending = [];
    this.#size = 0;
    // A copy, since readers may take a chunk's memory over and events are shared by all who watch.
    this.#controller?.enqueue(new Uint8Array(Buffer.concat(pending)));
  }
}
