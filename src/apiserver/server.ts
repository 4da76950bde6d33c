/** Puts an API server together from everything it consists of. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";

import type { AdmissionPlugin } from "../admission/index.ts";
import { FileLock } from "../internal/file-lock.ts";
import { makeFolder } from "../internal/make-folder.ts";
import { openServiceAccountKey } from "../kubernetes/index.ts";
import { openAdminToken } from "./auth/kubeconfig.ts";
import { type ApiClock, systemClock } from "./clock.ts";
import { ApiServerError } from "./errors.ts";
import { createHandler } from "./http/handler.ts";
import { ApiMetrics } from "./http/metrics.ts";
import { furnishCluster, furnishNamespace } from "./lifecycle/furnish.ts";
import { Housekeeping } from "./lifecycle/housekeeping.ts";
import { kubernetesRules } from "./kubernetes-rules.ts";
import type { ApiRules } from "./rules.ts";
import { type ApiServer, RunningApiServer } from "./running-server.ts";
import { standardPlugins } from "./standard-plugins.ts";
import { SqliteStorage } from "./storage/sqlite-storage.ts";
import type { ApiStorage } from "./storage/storage.ts";
import type { ApiContext } from "./verbs/context.ts";

export interface ApiServerOptions {
  /** Where everything is kept; made where it's missing. */
  readonly folder: string;
  /** `kubeconfig` in the folder by default. */
  readonly kubeconfig?: string | undefined;
  /** Steps of admission, in order, after those that every API server takes. */
  readonly plugins?: readonly AdmissionPlugin[] | undefined;
  readonly clock?: ApiClock | undefined;
  /** From 0 up to, but without, 1. */
  readonly random?: (() => number) | undefined;
  readonly newUid?: (() => string) | undefined;
  readonly rules?: ApiRules | undefined;
  /** Where objects are kept instead of the folder; whoever opened it closes it. */
  readonly storage?: ApiStorage | undefined;
  /** How many of the last changes watches and lists can go back to; 10,000 by default. */
  readonly history?: number | undefined;
  /** Told of failures that are nobody's fault but ours. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** Closes the server. */
  readonly signal?: AbortSignal | undefined;
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
  const storage = options.storage ?? SqliteStorage.open(join(folder, "apiserver.db"), { history });
  const furniture = { storage, now: () => clock.now(), newUid };
  const context: ApiContext = {
    storage,
    rules: options.rules ?? kubernetesRules,
    plugins: [...standardPlugins(storage, clock), ...plugins],
    clock,
    random: options.random ?? Math.random,
    newUid,
    serviceAccountKey,
    furnishNamespace: (name) => furnishNamespace(furniture, name),
  };
  const housekeeping = new Housekeeping(context, (error) => options.onFailure?.(error));
  try {
    await furnishCluster(furniture);
    await housekeeping.start();
    const server = await run(options, { context, lock, housekeeping });
    options.signal?.addEventListener("abort", () => void server.close(), { once: true });
    return server;
  } catch (error) {
    await housekeeping.close();
    if (options.storage === undefined) await storage.close();
    throw error;
  }
}

interface Running {
  readonly context: ApiContext;
  readonly lock: FileLock;
  readonly housekeeping: Housekeeping;
}

async function run(options: ApiServerOptions, { context, lock, housekeeping }: Running): Promise<ApiServer> {
  const { folder, onFailure, kubeconfig = join(folder, "kubeconfig") } = options;
  const { storage, clock } = context;
  const closing = new AbortController();
  const { token, known } = await openAdminToken(folder, kubeconfig);
  const handle = createHandler({
    context,
    staticTokens: known,
    metrics: new ApiMetrics(),
    // Much to load, and only clients that look around ask for it.
    documents: async (request, url) => {
      const { answerDocument } = await import("./documents/answer-document.ts");
      return answerDocument(request, { serverAddress: url.host });
    },
    health: () => ({ shutdown: closing.signal.aborted ? "the server is shutting down" : "" }),
    closing: closing.signal,
    onFailure,
  });
  const ownsStorage = options.storage === undefined;
  const parts = {
    folder,
    handle,
    storage,
    ownsStorage,
    lock,
    closing,
    housekeeping,
    kubeconfig,
    clock,
    token,
  };
  return new RunningApiServer({ ...parts, onFailure });
}
