/** The API server: everything it consists of, put together and taken apart again. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";

import type { AdmissionPlugin } from "../admission/index.ts";
import { FileLock } from "../internal/file-lock.ts";
import { makeFolder } from "../internal/make-folder.ts";
import { openServiceAccountKey, type Transport } from "../kubernetes/index.ts";
import type { StaticToken } from "./auth/authenticate.ts";
import { ADMIN, type ApiUser } from "./auth/user.ts";
import { type ApiClock, systemClock } from "./clock.ts";
import { ApiServerError } from "./errors.ts";
import { type ApiHandler, createHandler } from "./http/handler.ts";
import { ApiMetrics } from "./http/metrics.ts";
import { furnishCluster, furnishNamespace } from "./lifecycle/furnish.ts";
import { plainRules } from "./plain-rules.ts";
import type { ApiRules } from "./rules.ts";
import { SqliteStorage } from "./storage/sqlite-storage.ts";
import type { ApiStorage } from "./storage/storage.ts";
import type { ApiContext } from "./verbs/context.ts";

export interface ApiServerOptions {
  /** Where everything is kept; made where it's missing. */
  readonly folder: string;
  /** The admission chain, in order; none by default. */
  readonly plugins?: readonly AdmissionPlugin[] | undefined;
  readonly clock?: ApiClock | undefined;
  /** From 0 up to, but without, 1. */
  readonly random?: (() => number) | undefined;
  readonly newUid?: (() => string) | undefined;
  readonly rules?: ApiRules | undefined;
  /** How many of the last changes watches and lists can go back to; 10,000 by default. */
  readonly history?: number | undefined;
  /** Told of failures that are nobody's fault but ours. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** Closes the server. */
  readonly signal?: AbortSignal | undefined;
}

export interface ApiServer extends AsyncDisposable {
  readonly storage: ApiStorage;
  /** Answers one request; who sends it shows a token. */
  fetch(request: Request): Promise<Response>;
  /** For clients in this process, which need no token: they are who is said here, the administrator by default. */
  transport(user?: ApiUser): Transport;
  /** Ends watches, lets requests finish, and closes the storage. Harmless when called twice. */
  close(): Promise<void>;
}

/** @throws ApiServerError `BUSY` while another process has the folder; DatabaseError when it can't be used */
export async function openApiServer(options: ApiServerOptions): Promise<ApiServer> {
  options.signal?.throwIfAborted();
  makeFolder(options.folder, { mode: 0o700 });
  const lock = FileLock.tryAcquire(join(options.folder, "apiserver.lock"));
  if (lock === undefined) {
    const folder = JSON.stringify(options.folder);
    throw new ApiServerError(
      "BUSY",
      `Cannot open API server in ${folder}: another process runs one there; stop that one`,
    );
  }
  try {
    return await start(options, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function start(options: ApiServerOptions, lock: FileLock): Promise<ApiServer> {
  const { folder, clock = systemClock, plugins = [], newUid = randomUUID, history } = options;
  const serviceAccountKey = await openServiceAccountKey(join(folder, "service-account.key"));
  const storage = SqliteStorage.open(join(folder, "apiserver.db"), { history });
  const furniture = { storage, now: () => clock.now(), newUid };
  const context: ApiContext = {
    storage,
    rules: options.rules ?? plainRules,
    plugins,
    clock,
    random: options.random ?? Math.random,
    newUid,
    serviceAccountKey,
    furnishNamespace: (name) => furnishNamespace(furniture, name),
  };
  try {
    await furnishCluster(furniture);
  } catch (error) {
    await storage.close();
    throw error;
  }
  const closing = new AbortController();
  const staticTokens: StaticToken[] = [];
  const handle = createHandler({
    context,
    staticTokens,
    metrics: new ApiMetrics(),
    documents: () => Promise.resolve(undefined),
    health: () => ({}),
    closing: closing.signal,
    onFailure: options.onFailure,
  });
  return new Server({ handle, storage, lock, closing });
}

interface Parts {
  readonly handle: ApiHandler;
  readonly storage: ApiStorage;
  readonly lock: FileLock;
  readonly closing: AbortController;
}

class Server implements ApiServer {
  readonly storage: ApiStorage;
  readonly #parts: Parts;
  readonly #running = new Set<Promise<Response>>();
  #closed: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.storage = parts.storage;
  }

  fetch(request: Request): Promise<Response> {
    return this.#answer(request);
  }

  transport(user: ApiUser = ADMIN): Transport {
    return (request) => this.#answer(request, user);
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #answer(request: Request, user?: ApiUser): Promise<Response> {
    const answer = this.#parts.handle(request, { user });
    this.#running.add(answer);
    try {
      return await answer;
    } finally {
      this.#running.delete(answer);
    }
  }

  async #close(): Promise<void> {
    const { closing, storage, lock } = this.#parts;
    closing.abort();
    await Promise.allSettled(this.#running);
    await storage.close();
    lock.release();
  }
}
