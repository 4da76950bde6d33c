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
 * Between two chunks the ingest stays open for a moment, because opening it again means hashing again what is
 * there. Not for long: another process on the same data may be asked for the next chunk.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { OciError, type Digest, type DigestAlgorithm } from "../oci/index.ts";
import { StoreError, type BlobInfo, type BlobStore, type Ingest } from "../store/index.ts";
import type { RegistryMetadata, Upload } from "./metadata.ts";
import { RequestAborted } from "./request.ts";

/** Tells our ingests from those of a node that pulls into the same store. */
const KEY_PREFIX = "upload-";

export interface UploadSessionsOptions {
  readonly blobs: BlobStore;
  readonly metadata: RegistryMetadata;
  readonly clock: () => number;
  /** How long an ingest stays open for the next chunk, in milliseconds. */
  readonly linger: number;
  /** How long a request waits for another one on the same session, in milliseconds. */
  readonly patience: number;
}

/** What a request may do with a session while it has it to itself. */
export interface UploadTurn {
  readonly upload: Upload;
  readonly ingest: Pick<Ingest, "offset" | "write" | "truncate">;
  /** Verifies the bytes and ends the session; when they are wrong, that ends it, too. */
  finish(digest: Digest): Promise<BlobInfo>;
  /** Ends the session and forgets its bytes. */
  drop(): Promise<void>;
}

interface Session {
  ingest: Ingest | undefined;
  busy: boolean;
  readonly waiting: (() => void)[];
  timer: NodeJS.Timeout | undefined;
}

export class UploadSessions {
  readonly #options: UploadSessionsOptions;
  readonly #sessions = new Map<string, Session>();

  constructor(options: UploadSessionsOptions) {
    this.#options = options;
  }

  async create(upload: Upload): Promise<void> {
    await this.#options.metadata.createUpload(upload);
  }

  /** Bytes received so far; `undefined` when the repository has no such session. */
  async findOffset(repository: string, id: string): Promise<number | undefined> {
    const upload = await this.#find(repository, id);
    if (upload === undefined) return undefined;
    const open = this.#sessions.get(id)?.ingest;
    return open?.offset ?? (await this.#options.blobs.findIngest(KEY_PREFIX + id))?.offset ?? 0;
  }

  /**
   * Runs `body` alone with a session. `"unknown"`: the repository has no such session, maybe since a moment ago;
   * `"busy"`: another request would not let go of it.
   */
  async use<Result>(
    repository: string,
    id: string,
    body: (turn: UploadTurn) => Promise<Result>,
    algorithm?: DigestAlgorithm,
  ): Promise<Result | "unknown" | "busy"> {
    // Asked before a session object exists, so that guessing ids costs no memory.
    if ((await this.#find(repository, id)) === undefined) return "unknown";
    const session = await this.#acquire(id);
    if (session === undefined) return "busy";
    try {
      const upload = await this.#find(repository, id);
      if (upload === undefined) return "unknown";
      const ingest = (session.ingest ??= await this.#openIngest(upload, algorithm));
      if (ingest === undefined) return "busy";
      return await body(this.#turn(upload, session, ingest));
    } catch (error) {
      // A sender that left may come back; after a failing disk, what is really there is found out anew.
      if (!(error instanceof RequestAborted)) await this.#letGo(session);
      throw error;
    } finally {
      this.#release(id, session);
    }
  }

  /** Verifies a blob that came in one request, without a session anybody could return to. */
  async receive(
    id: string,
    digest: Digest,
    fill: (ingest: Pick<Ingest, "offset" | "write" | "truncate">) => Promise<boolean>,
  ): Promise<BlobInfo | undefined> {
    const algorithms = [digest.slice(0, digest.indexOf(":")) as DigestAlgorithm];
    const ingest = await this.#options.blobs.ingest(KEY_PREFIX + id, { algorithms });
    let complete = false;
    try {
      complete = await fill(ingest);
    } finally {
      if (!complete) await ingest.abort();
    }
    return complete ? await ingest.commit({ digest }) : undefined;
  }

  /**
   * Drops sessions that received nothing for `age` milliseconds, and ingests whose session is gone.
   *
   * @returns how many
   */
  async purge(age: number, signal?: AbortSignal): Promise<number> {
    const { blobs, metadata, clock } = this.#options;
    const limit = clock() - age;
    let purged = 0;
    for (const upload of await metadata.listUploads(limit)) {
      signal?.throwIfAborted();
      const ingest = await blobs.findIngest(KEY_PREFIX + upload.id);
      if ((ingest?.time ?? upload.startedAt) >= limit) continue;
      const dropped = await this.use(upload.repository, upload.id, (turn) => turn.drop());
      if (dropped !== "busy" && dropped !== "unknown") purged++;
    }
    for await (const ingest of blobs.listIngests({ signal })) {
      if (!ingest.key.startsWith(KEY_PREFIX) || ingest.time >= limit) continue;
      if ((await metadata.findUpload(ingest.key.slice(KEY_PREFIX.length))) !== undefined) continue;
      if (await this.#dropOrphan(ingest.key)) purged++;
    }
    return purged;
  }

  /** Lets go of every ingest; the sessions stay for the next process. Nobody may be using one any more. */
  async close(): Promise<void> {
    for (const [id, session] of this.#sessions) {
      this.#sessions.delete(id);
      clearTimeout(session.timer);
      await this.#letGo(session);
    }
  }

  async #find(repository: string, id: string): Promise<Upload | undefined> {
    const upload = await this.#options.metadata.findUpload(id);
    return upload?.repository === repository ? upload : undefined;
  }

  #turn(upload: Upload, session: Session, ingest: Ingest): UploadTurn {
    const { metadata } = this.#options;
    return {
      upload,
      ingest,
      async finish(digest): Promise<BlobInfo> {
        session.ingest = undefined;
        let blob: BlobInfo;
        try {
          blob = await ingest.commit({ digest });
        } catch (error) {
          // Wrong bytes are gone with their session; after a full disk there is something to come back to.
          if (error instanceof OciError) await metadata.deleteUpload(upload.id);
          throw error;
        }
        await metadata.finishUpload(upload, blob);
        return blob;
      },
      async drop(): Promise<void> {
        session.ingest = undefined;
        await ingest.abort();
        await metadata.deleteUpload(upload.id);
      },
    };
  }

  async #acquire(id: string): Promise<Session | undefined> {
    let session = this.#sessions.get(id);
    if (session === undefined) {
      session = { ingest: undefined, busy: false, waiting: [], timer: undefined };
      this.#sessions.set(id, session);
    }
    clearTimeout(session.timer);
    if (!session.busy) {
      session.busy = true;
      return session;
    }
    return await this.#queue(session);
  }

  /** First come, first served; whoever lets go hands the session on without freeing it. */
  #queue(session: Session): Promise<Session | undefined> {
    return new Promise((resolve) => {
      const next = (): void => {
        clearTimeout(timer);
        resolve(session);
      };
      const timer = setTimeout(() => {
        session.waiting.splice(session.waiting.indexOf(next), 1);
        resolve(undefined);
      }, this.#options.patience);
      session.waiting.push(next);
    });
  }

  #release(id: string, session: Session): void {
    const next = session.waiting.shift();
    if (next !== undefined) return next();
    session.busy = false;
    if (session.ingest === undefined) {
      this.#sessions.delete(id);
      return;
    }
    session.timer = setTimeout(() => {
      session.busy = true;
      void this.#letGo(session).finally(() => this.#release(id, session));
    }, this.#options.linger);
    session.timer.unref();
  }

  async #openIngest(upload: Upload, wanted: DigestAlgorithm | undefined): Promise<Ingest | undefined> {
    const { blobs, patience } = this.#options;
    const algorithms = [wanted ?? upload.algorithm ?? "sha256"];
    const end = performance.now() + patience;
    for (;;) {
      try {
        return await blobs.ingest(KEY_PREFIX + upload.id, { algorithms });
      } catch (error) {
        // Another process may hold it for the next chunk, as we do.
        if (!(error instanceof StoreError) || error.code !== "INGEST_BUSY") throw error;
        if (performance.now() >= end) return undefined;
        await sleep(50);
      }
    }
  }

  async #dropOrphan(key: string): Promise<boolean> {
    try {
      await (await this.#options.blobs.ingest(key)).abort();
      return true;
    } catch (error) {
      if (error instanceof StoreError && error.code === "INGEST_BUSY") return false;
      throw error;
    }
  }

  async #letGo(session: Session): Promise<void> {
    const { ingest } = session;
    session.ingest = undefined;
    await ingest?.close();
  }
}
