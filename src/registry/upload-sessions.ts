/**
 * Uploads under way: one writer at a time, resumable after a cut connection, a restart or a crash.
 *
 * The row in the metadata says that a session exists, the store's ingest holds its bytes:
 *
 * ```text
 * create ──use()*──► finish   blob visible, row and ingest gone
 *    │        └────► drop     both gone
 *    └── nobody comes back ──► purge
 * ```
 *
 * Between two requests nothing is held open, so that the next one may reach another process on the same data.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { digestAlgorithm, OciError, type Digest, type DigestAlgorithm } from "../oci/index.ts";
import { StoreError, type BlobInfo, type BlobStore, type Ingest } from "../store/index.ts";
import type { QuotaFault } from "./limits.ts";
import type { BlobLink, QuotaOptions, RegistryMetadata, Upload } from "./metadata.ts";
import { Turns } from "./turns.ts";

/** Tells our ingests from those of a node that pulls into the same store. */
const KEY_PREFIX = "upload-";

export interface UploadSessionsOptions {
  readonly blobs: BlobStore;
  readonly metadata: RegistryMetadata;
  readonly clock: () => number;
  /** How long a request waits for another one on the same session, in milliseconds. */
  readonly patience: number;
}

/** The part of an ingest that receives; how it ends is the session's business. */
export type Receiving = Pick<Ingest, "offset" | "write" | "truncate">;

/** What a request may do with a session while it has it to itself. */
export interface UploadTurn {
  readonly ingest: Receiving;
  /** Verifies the bytes and ends the session; when they are wrong, that ends it, too. */
  finish(digest: Digest, options?: QuotaOptions): Promise<LinkOutcome>;
  /** Ends the session and forgets its bytes. */
  drop(): Promise<void>;
}

/** What became of showing a blob in a repository. */
export type LinkOutcome =
  | { readonly kind: "linked" }
  /** There is no room for it. */
  | { readonly kind: "quota"; readonly fault: QuotaFault }
  /** Its bytes were collected before it was shown: whoever brought them has to bring them again. */
  | { readonly kind: "lost" };

export interface UseOptions {
  /** What to hash while receiving, when it isn't known from the beginning of the upload. */
  readonly algorithm?: DigestAlgorithm | undefined;
}

export class UploadSessions {
  readonly #options: UploadSessionsOptions;
  readonly #turns = new Turns();

  constructor(options: UploadSessionsOptions) {
    this.#options = options;
  }

  async create(upload: Upload): Promise<void> {
    await this.#options.metadata.createUpload(upload);
  }

  /** Bytes received so far; `undefined` when the repository has no such session. */
  async findOffset(repository: string, id: string): Promise<number | undefined> {
    if ((await this.#find(repository, id)) === undefined) return undefined;
    return (await this.#options.blobs.findIngest(KEY_PREFIX + id))?.offset ?? 0;
  }

  /**
   * Runs `body` alone with a session. `"unknown"`: the repository has no such session, maybe since a moment ago;
   * `"busy"`: another request would not let go of it.
   */
  async use<Result>(
    session: { readonly repository: string; readonly id: string },
    body: (turn: UploadTurn) => Promise<Result>,
    options: UseOptions = {},
  ): Promise<Result | "unknown" | "busy"> {
    const { repository, id } = session;
    using turn = await this.#turns.take(id, this.#options.patience);
    if (turn === undefined) return "busy";
    const upload = await this.#find(repository, id);
    if (upload === undefined) return "unknown";
    const ingest = await this.#openIngest(upload, options.algorithm);
    if (ingest === undefined) return "busy";
    try {
      return await body(this.#turn(upload, ingest));
    } finally {
      // What was received stays, whatever went wrong: a sender that left may come back.
      await ingest.close();
    }
  }

  /** Receives and verifies content that comes in one request, without a session anybody could return to. */
  async receive(
    id: string,
    digest: Digest,
    fill: (ingest: Receiving) => boolean | Promise<boolean>,
  ): Promise<BlobInfo | undefined> {
    const algorithms = [digestAlgorithm(digest)];
    const ingest = await this.#options.blobs.ingest(KEY_PREFIX + id, { algorithms });
    let ready = false;
    try {
      if (!(await fill(ingest))) return undefined;
      await this.#options.metadata.garbage.expectContent(digest);
      ready = true;
    } finally {
      if (!ready) await ingest.abort();
    }
    return await ingest.commit({ digest });
  }

  /** Shows a blob of the store in a repository. */
  async link(repository: string, blob: BlobLink, options: QuotaOptions): Promise<LinkOutcome> {
    const fault = await this.#options.metadata.linkBlob(repository, blob, options);
    return fault === undefined ? await this.#confirm(repository, blob.digest) : { kind: "quota", fault };
  }

  /**
   * Drops sessions that received nothing for `age` milliseconds, and what is left of others.
   *
   * @returns how many
   */
  async purge(age: number, signal: AbortSignal): Promise<number> {
    const { blobs, metadata, clock } = this.#options;
    const limit = clock() - age;
    let purged = 0;
    for (const upload of await metadata.listUploads(limit)) {
      signal.throwIfAborted();
      if (!(await this.#dropIngest(KEY_PREFIX + upload.id, limit))) continue;
      if (await metadata.deleteUpload(upload.id)) purged++;
    }
    for await (const ingest of blobs.listIngests({ signal })) {
      if (!ingest.key.startsWith(KEY_PREFIX) || ingest.time > limit) continue;
      if ((await metadata.findUpload(ingest.key.slice(KEY_PREFIX.length))) !== undefined) continue;
      if (await this.#dropIngest(ingest.key, limit)) purged++;
    }
    return purged;
  }

  async #find(repository: string, id: string): Promise<Upload | undefined> {
    const upload = await this.#options.metadata.findUpload(id);
    return upload?.repository === repository ? upload : undefined;
  }

  #turn(upload: Upload, ingest: Ingest): UploadTurn {
    const { metadata } = this.#options;
    return {
      ingest,
      finish: async (digest, options = {}): Promise<LinkOutcome> => {
        try {
          await metadata.garbage.expectContent(digest);
          const fault = await metadata.finishUpload(upload, await ingest.commit({ digest }), options);
          if (fault !== undefined) return { kind: "quota", fault };
          return await this.#confirm(upload.repository, digest);
        } catch (error) {
          // Wrong bytes are gone with their session; after a full disk there is something to come back to.
          if (error instanceof OciError) await metadata.deleteUpload(upload.id);
          throw error;
        }
      },
      async drop(): Promise<void> {
        await ingest.abort();
        await metadata.deleteUpload(upload.id);
      },
    };
  }

  /**
   * Collection asks who shows a blob and then deletes it, unless it was touched. Touching it once it is shown leaves
   * no moment in between: either it sees us, or it spares what we touched, or we see that it was faster.
   */
  async #confirm(repository: string, digest: Digest): Promise<LinkOutcome> {
    const { blobs, metadata } = this.#options;
    if ((await blobs.find(digest, { touch: true })) !== undefined) return { kind: "linked" };
    await metadata.unlinkBlob(repository, digest);
    return { kind: "lost" };
  }

  async #openIngest(upload: Upload, wanted: DigestAlgorithm | undefined): Promise<Ingest | undefined> {
    const { blobs, patience } = this.#options;
    const algorithms = [wanted ?? upload.algorithm ?? "sha256"];
    const end = performance.now() + patience;
    for (;;) {
      try {
        return await blobs.ingest(KEY_PREFIX + upload.id, { algorithms });
      } catch (error) {
        // Another process on the same data is receiving the chunk before ours.
        if (!isBusy(error)) throw error;
        if (performance.now() >= end) return undefined;
        await sleep(50);
      }
    }
  }

  /** Whether it is gone: not when somebody wrote to it lately, or is just doing so. */
  async #dropIngest(key: string, unusedSince: number): Promise<boolean> {
    const { blobs } = this.#options;
    try {
      return (await blobs.deleteIngest(key, { unusedSince })) || (await blobs.findIngest(key)) === undefined;
    } catch (error) {
      if (isBusy(error)) return false;
      throw error;
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof StoreError && error.code === "INGEST_BUSY";
}
