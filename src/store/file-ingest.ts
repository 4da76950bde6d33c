import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  futimesSync,
  openSync,
  renameSync,
  rmSync,
} from "node:fs";

import { syncFile } from "../internal/atomic-write.ts";
import { type Digest, digestAlgorithm } from "../oci/index.ts";
import type { BlobInfo, Ingest } from "./blob-store.ts";
import { StoreError } from "./errors.ts";
import { FileAppender } from "./file-appender.ts";
import { systemCode, writeError } from "./file-errors.ts";
import { RunningDigest } from "./running-digest.ts";
import { type Expected, verifyDigest, verifySize } from "./verify.ts";

/** What an ingest needs of the store it belongs to. */
export interface IngestHome {
  readonly path: string;
  /** Whether the blob is here by now, touched. */
  findBlob(digest: Digest): Promise<BlobInfo | undefined>;
  /** Where the blob will be; its folder exists. */
  placeFor(digest: Digest): string;
  /** Makes the name of a new blob durable. */
  syncPlace(digest: Digest): Promise<void>;
  now(): number;
  /** Offers the hashes of what is in the file, for continuing without reading it again. The file is still open. */
  remember(digest: RunningDigest): void;
  /** Called once, when the ingest has let go of its file. */
  ended(): void;
}

/** An ingest in a file. */
export class FileIngest implements Ingest {
  readonly key: string;
  readonly #home: IngestHome;
  readonly #file: FileAppender;
  /** Where the present writer began: a chunk refused by a registry goes back to here. */
  #checkpoint: RunningDigest;
  #ended = false;
  readonly #gone = Promise.withResolvers<void>();

  constructor(
    key: string,
    fd: number,
    options: { readonly home: IngestHome; readonly digest: RunningDigest },
  ) {
    this.key = key;
    this.#home = options.home;
    this.#file = new FileAppender(fd, options.digest);
    this.#checkpoint = options.digest.copy();
  }

  get offset(): number {
    return this.#file.offset;
  }

  /** Counts bytes that are in the file already. */
  async readUntil(end: number, signal?: AbortSignal): Promise<void> {
    await this.#settle();
    const { digest } = this.#file;
    await digest.readFile(this.#file.fd, end, signal);
    this.#file.adopt(digest);
    this.#checkpoint = digest.copy();
  }

  write(chunk: Uint8Array): void | Promise<void> {
    this.#assertOpen();
    const pending = this.#translating(() => this.#file.write(chunk));
    return pending?.catch((error: unknown) => {
      throw writeError("write to ingest", this.key, error);
    });
  }

  async truncate(offset: number): Promise<void> {
    this.#assertOpen();
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > this.offset) {
      throw new RangeError(`an ingest of ${this.offset} bytes has no offset ${offset}`);
    }
    this.#flush();
    await this.#settle();
    if (offset === this.offset) return;
    const digest =
      offset >= this.#checkpoint.offset
        ? this.#checkpoint.copy()
        : RunningDigest.begin(this.#file.digest.algorithms);
    await digest.readFile(this.#file.fd, offset);
    this.#file.cut(digest);
    if (this.#checkpoint.offset > offset) this.#checkpoint = digest.copy();
  }

  async commit(expected: Expected): Promise<BlobInfo> {
    this.#assertOpen();
    this.#flush();
    this.#ended = true;
    let renamed = false;
    try {
      await this.#file.settle();
      verifySize(expected, this.offset);
      verifyDigest(expected, await this.#digestLike(expected.digest));
      const existing = await this.#home.findBlob(expected.digest);
      if (existing !== undefined) return existing;
      const time = this.#home.now();
      fchmodSync(this.#file.fd, 0o444);
      futimesSync(this.#file.fd, time / 1000, time / 1000);
      await syncFile(this.#file.fd);
      if (this.#file.syncFailure !== undefined) throw this.#file.syncFailure;
      renameSync(this.#home.path, this.#home.placeFor(expected.digest));
      renamed = true;
      await this.#home.syncPlace(expected.digest);
      return { digest: expected.digest, size: this.offset, time };
    } catch (error) {
      throw writeError("keep blob", expected.digest, error);
    } finally {
      await this.#end({ keep: renamed });
    }
  }

  async close(): Promise<void> {
    // Where a commit is under way, letting go means waiting for it.
    if (this.#ended) return this.#gone.promise;
    this.#ended = true;
    try {
      this.#flush();
      // A write that failed has told its caller; here it only means that the file must be read again.
      await this.#file.settle().catch(() => {});
      const { torn, syncFailure } = this.#file;
      if (!torn && syncFailure === undefined) this.#home.remember(this.#file.digest);
    } finally {
      await this.#end({ keep: true });
    }
  }

  async abort(): Promise<void> {
    if (this.#ended) return this.#gone.promise;
    this.#ended = true;
    await this.#end({ keep: false });
  }

  #assertOpen(): void {
    if (this.#file.torn) {
      throw new StoreError(
        "INGEST_INVALID",
        `Cannot use ingest ${JSON.stringify(this.key)}: a write to it failed`,
      );
    }
    if (this.#ended) {
      throw new StoreError("INGEST_INVALID", `Cannot use ingest ${JSON.stringify(this.key)}: it has ended`);
    }
  }

  #flush(): void {
    this.#translating(() => this.#file.flush());
  }

  #translating<Result>(act: () => Result): Result {
    try {
      return act();
    } catch (error) {
      throw writeError("write to ingest", this.key, error);
    }
  }

  async #settle(): Promise<void> {
    await this.#file.settle().catch((error: unknown) => {
      throw writeError("write to ingest", this.key, error);
    });
  }

  async #digestLike(expected: Digest): Promise<Digest> {
    const known = this.#file.digest.like(expected);
    if (known !== undefined) return known;
    const other = RunningDigest.begin([digestAlgorithm(expected)]);
    await other.readFile(this.#file.fd, this.offset);
    return other.like(expected) as Digest;
  }

  /** Lets go of the file; `keep: false` drops its bytes unless they have become a blob. */
  async #end(fate: { readonly keep: boolean }): Promise<void> {
    await this.#file.settle().catch(() => {});
    closeSync(this.#file.fd);
    this.#file.release();
    try {
      if (!fate.keep) rmSync(this.#home.path, { force: true });
      this.#home.ended();
    } finally {
      this.#gone.resolve();
    }
  }
}

/** Opens or creates the file of an ingest for reading and writing. */
export function openIngestFile(path: string): { readonly fd: number; readonly size: number } {
  const flags = constants.O_RDWR | constants.O_CREAT;
  let fd: number;
  try {
    fd = openSync(path, flags, 0o644);
  } catch (error) {
    if (systemCode(error) !== "EACCES") throw error;
    // A writer that died between making its file read-only and renaming it.
    chmodSync(path, 0o644);
    fd = openSync(path, flags, 0o644);
  }
  return { fd, size: fstatSync(fd).size };
}
