/**
 * One blob on its way here, and everybody who reads it meanwhile.
 *
 * ```text
 * upstream ──► ingest (a file that grows) ──► verified: a blob like any other
 *                   ├──► reader, from the first byte
 *                   └──► reader, joined late, of a range
 * ```
 *
 * The file stands between the two sides: a slow reader holds up neither the upstream nor other readers. Readers get
 * bytes before all of them are verified, but never the last one; so nobody takes wrong content for complete.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { digestAlgorithm, OciError, type ContentStream, type Digest } from "../../oci/index.ts";
import { StoreError, type BlobStore, type Ingest } from "../../store/index.ts";
import type { ResponseStream } from "../request.ts";
import type { ByteRange } from "../range.ts";
import { FollowingStream } from "./following-stream.ts";
import { UpstreamError } from "./upstream.ts";

/** Tells our ingests from uploads, and from a node that pulls into the same store. */
export const INGEST_PREFIX = "mirror-";

/** How often to look whether another process on the same store has finished the same blob, in milliseconds. */
const POLL = 100;

export interface DownloadOptions {
  readonly digest: Digest;
  readonly size: number;
  readonly blobs: BlobStore;
  /** What it is called, for messages: `docker.io/library/nginx`. */
  readonly name: string;
  /** Opens the blob at the upstream from an offset on. */
  readonly open: (offset: number, signal: AbortSignal) => Promise<ContentStream>;
  /** Asks whether content that is in the store belongs to who wants it; throws when it doesn't. */
  readonly vouch: () => Promise<void>;
  /** Says that bytes are about to come that nobody shows yet. */
  readonly expect: () => Promise<void>;
  /** Runs once the bytes are verified and durable, before anybody hears of the end. */
  readonly keep: (fetched: { readonly bytes: number; readonly resumed: number }) => Promise<void>;
  /** Told why it ended, unless it ended well or nobody wanted it any more. */
  readonly onFailed: (error: unknown) => void;
  /** Go on though nobody reads any more. */
  readonly finish: boolean;
}

export class Download {
  readonly digest: Digest;
  readonly size: number;
  /** Settles when the first bytes are there for the asking; rejects when they won't come. */
  readonly started: Promise<void>;
  /** Resolves at the end, whichever it is. */
  readonly ended: Promise<void>;
  readonly #options: DownloadOptions;
  readonly #cancel = new AbortController();
  readonly #waiting = new Set<() => void>();
  #ingest: Ingest | undefined;
  #path: string | undefined;
  #outcome: "running" | "done" | { readonly error: unknown } = "running";
  #written = 0;
  #users = 0;

  constructor(options: DownloadOptions) {
    this.#options = options;
    this.digest = options.digest;
    this.size = options.size;
    const started = Promise.withResolvers<void>();
    started.promise.catch(() => {});
    this.started = started.promise;
    this.ended = this.#run(() => started.resolve()).then(
      () => {
        this.#settle("done");
        started.resolve();
      },
      (error: unknown) => {
        this.#settle({ error });
        if (!this.abandoned) options.onFailed(error);
        started.reject(error as Error);
      },
    );
  }

  /** Nobody waits any longer, and it is being given up: it can't be joined. */
  get abandoned(): boolean {
    return this.#cancel.signal.aborted;
  }

  /** Keeps the download going until the returned thing is disposed of. */
  join(): Disposable {
    this.#users++;
    let left = false;
    return {
      [Symbol.dispose]: (): void => {
        if (left) return;
        left = true;
        if (--this.#users === 0 && !this.#options.finish) this.abandon();
      },
    };
  }

  /** Reads along. Whoever closes the stream has left. */
  read(range: ByteRange): ResponseStream {
    return new FollowingStream(this, { range, seat: this.join(), blobs: this.#options.blobs });
  }

  /** Ends it and keeps what came, for whoever asks next. */
  abandon(): void {
    if (this.#outcome === "running") this.#cancel.abort(new Error("Nobody waits for this any more"));
  }

  /** The growing file; `undefined` in stores without files, and before there is one. */
  get path(): string | undefined {
    return this.#path;
  }

  /**
   * How many bytes from the beginning can be read, once that is more than `position`.
   *
   * @throws what the download failed with
   */
  async readable(position: number, signal: AbortSignal): Promise<number | "complete"> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#outcome === "done") return "complete";
      if (typeof this.#outcome === "object") throw this.#outcome.error;
      const { path } = this;
      const end = path === undefined ? 0 : Math.min(this.#flushedTo(position), this.size - 1);
      if (end > position) return end;
      await this.#progress(signal);
    }
  }

  /** Bytes in the file; what still lies in memory is written only when somebody is waiting for it. */
  #flushedTo(position: number): number {
    const ingest = this.#ingest;
    if (ingest !== undefined && this.#written <= position && ingest.offset > this.#written) {
      ingest.file?.flush();
      this.#written = ingest.offset;
    }
    return this.#written;
  }

  #progress(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  #settle(outcome: "done" | { readonly error: unknown }): void {
    this.#outcome = outcome;
    this.#ingest = undefined;
    this.#wake();
  }

  #wake(): void {
    // Each takes itself out of the set, which going through it allows.
    for (const wake of this.#waiting) wake();
  }

  async #run(onStart: () => void): Promise<void> {
    const { digest, size, keep, vouch, expect } = this.#options;
    const ingest = await this.#begin();
    if (ingest === undefined) {
      await vouch();
      return await keep({ bytes: 0, resumed: size });
    }
    let complete = false;
    try {
      if (ingest.offset > size) await ingest.truncate(0);
      const resumed = ingest.offset;
      this.#ingest = ingest;
      this.#path = ingest.file?.path;
      if (ingest.offset < size) await this.#receive(ingest, onStart);
      await expect();
      complete = true;
      // The hashes count what is in the file, and committing ends the ingest.
      this.#ingest = undefined;
      await ingest.commit({ digest, size });
      await keep({ bytes: size - resumed, resumed });
    } catch (error) {
      throw this.#explain(error);
    } finally {
      this.#ingest = undefined;
      // What came stays, to go on from there; commit has ended it already, either way.
      if (!complete) await ingest.close();
    }
  }

  async #receive(ingest: Ingest, onStart: () => void): Promise<void> {
    const { digest, size, open, name } = this.#options;
    const { signal } = this.#cancel;
    const stream = await open(ingest.offset, signal);
    onStart();
    const wrong = (how: string): UpstreamError => {
      const message = `Cannot mirror blob "${digest}" of "${name}": the registry sent ${how} than its ${size} bytes`;
      return new UpstreamError("UPSTREAM_INVALID", message);
    };
    try {
      await stream.pump((chunk) => {
        signal.throwIfAborted();
        if (ingest.offset + chunk.length > size) throw wrong("more");
        const pending = ingest.write(chunk);
        if (pending !== undefined) return pending.then(() => this.#wake());
        this.#wake();
        return undefined;
      });
    } finally {
      await stream.close();
    }
    if (ingest.offset < size) throw wrong("fewer");
  }

  /** The ingest, or `undefined` once the blob is there. Waits while another process is fetching it. */
  async #begin(): Promise<Ingest | undefined> {
    const { blobs, digest } = this.#options;
    const { signal } = this.#cancel;
    for (;;) {
      signal.throwIfAborted();
      const stored = await blobs.find(digest, { touch: true });
      if (stored !== undefined) {
        if (stored.size === this.size) return undefined;
        const why = `it has ${stored.size} bytes, not ${this.size}`;
        throw new UpstreamError(
          "UPSTREAM_INVALID",
          `Cannot mirror blob "${digest}" of "${this.#options.name}": ${why}`,
        );
      }
      const ingest = await this.#claim();
      if (ingest === undefined) {
        await sleep(POLL, undefined, { signal });
        continue;
      }
      // Whoever had it until now may have finished since we looked; then there is nothing left to fetch.
      if ((await blobs.find(digest)) === undefined) return ingest;
      await ingest.abort();
    }
  }

  /** `undefined` while another process has it. */
  async #claim(): Promise<Ingest | undefined> {
    const { blobs, digest } = this.#options;
    const options = { algorithms: [digestAlgorithm(digest)], signal: this.#cancel.signal };
    try {
      return await blobs.ingest(INGEST_PREFIX + digest, options);
    } catch (error) {
      if (error instanceof StoreError && error.code === "INGEST_BUSY") return undefined;
      throw error;
    }
  }

  #explain(error: unknown): unknown {
    if (!(error instanceof OciError)) return error;
    if (error.code !== "DIGEST_INVALID" && error.code !== "SIZE_INVALID") return error;
    const { digest, name } = this.#options;
    const message = `Cannot mirror blob "${digest}" of "${name}": the registry sent other bytes`;
    return new UpstreamError("UPSTREAM_INVALID", message, { cause: error });
  }
}
