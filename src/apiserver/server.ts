/** The API server: everything it consists of, put together and taken apart again. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";

import type { AdmissionPlugin } from "../admission/index.ts";
import { FileLock } from "../internal/file-lock.ts";
import { type HttpServer, openHttpServer } from "../internal/http-server.ts";
import { makeFolder } from "../internal/make-folder.ts";
import type { Secret } from "../internal/secret.ts";
import { failure, openServiceAccountKey, type Transport } from "../kubernetes/index.ts";
import { openAdminToken, writeKubeconfig } from "./auth/kubeconfig.ts";
import { openPki } from "./auth/pki.ts";
import { ADMIN, type ApiUser } from "./auth/user.ts";
import { type ApiClock, systemClock } from "./clock.ts";
import { ApiServerError, explainListenFailure } from "./errors.ts";
import { type ApiHandler, createHandler } from "./http/handler.ts";
import { toListener } from "./http/listen.ts";
import { ApiMetrics } from "./http/metrics.ts";
import { respondError } from "./http/respond.ts";
import { furnishCluster, furnishNamespace } from "./lifecycle/furnish.ts";
import { Housekeeping } from "./lifecycle/housekeeping.ts";
import { kubernetesRules } from "./kubernetes-rules.ts";
import type { ApiRules } from "./rules.ts";
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
  /** How many of the last changes watches and lists can go back to; 10,000 by default. */
  readonly history?: number | undefined;
  /** Told of failures that are nobody's fault but ours. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** Closes the server. */
  readonly signal?: AbortSignal | undefined;
}

export interface ListenOptions {
  /** `127.0.0.1` by default. */
  readonly host?: string | undefined;
  /** 6443 by default, 0 for any free one. */
  readonly port?: number | undefined;
  /** More names by which clients call the server, for its certificate. */
  readonly hosts?: readonly string[] | undefined;
}

export interface ListeningApi {
  /** Such as `https://127.0.0.1:6443`. */
  readonly url: string;
  readonly port: number;
  /** The file that was written. */
  readonly kubeconfig: string;
  /** PEM: whom clients have to trust. */
  readonly authority: string;
}

export interface ApiServer extends AsyncDisposable {
  readonly storage: ApiStorage;
  /** The administrator's, as it stands in the kubeconfig. */
  readonly adminToken: Secret;
  /** Answers one request; who sends it shows a token. */
  fetch(request: Request): Promise<Response>;
  /** For clients in this process, which need no token: they are who is said here, the administrator by default. */
  transport(user?: ApiUser): Transport;
  /** Puts the API on a port, over HTTPS, and writes the kubeconfig. */
  listen(options?: ListenOptions): Promise<ListeningApi>;
  /** Resolves when the server has nothing left to tidy up: garbage, ending namespaces. */
  idle(): Promise<void>;
  /** Ends watches, lets requests finish, and closes the storage. Harmless when called twice. */
  close(): Promise<void>;
}

/** How long requests under way may take to finish when the server closes, in milliseconds. */
const DRAIN = 5_000;

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
    rules: options.rules ?? kubernetesRules,
    plugins: [...standardPlugins(storage, clock), ...plugins],
    clock,
    random: options.random ?? Math.random,
    newUid,
    serviceAccountKey,
    furnishNamespace: (name) => furnishNamespace(furniture, name),
  };
  const closing = new AbortController();
  const housekeeping = new Housekeeping(context, (error) => options.onFailure?.(error));
  const kubeconfig = options.kubeconfig ?? join(folder, "kubeconfig");
  const admin = await openAdminToken(folder, kubeconfig);
  const handle = createHandler({
    context,
    staticTokens: admin.known,
    metrics: new ApiMetrics(),
    documents: async (request, url) =>
      (await import("./documents/answer-document.ts")).answerDocument(request, { serverAddress: url.host }),
    health: () => ({ shutdown: closing.signal.aborted ? "the server is shutting down" : "" }),
    closing: closing.signal,
    onFailure: options.onFailure,
  });
  try {
    await furnishCluster(furniture);
    await housekeeping.start();
  } catch (error) {
    await housekeeping.close();
    await storage.close();
    throw error;
  }
  const server = new Server({
    ...options,
    handle,
    storage,
    lock,
    closing,
    housekeeping,
    kubeconfig,
    clock,
    token: admin.token,
  });
  options.signal?.addEventListener("abort", () => void server.close(), { once: true });
  return server;
}

interface Parts {
  readonly folder: string;
  readonly handle: ApiHandler;
  readonly storage: ApiStorage;
  readonly lock: FileLock;
  readonly closing: AbortController;
  readonly housekeeping: Housekeeping;
  readonly kubeconfig: string;
  readonly token: Secret;
  readonly clock: ApiClock;
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

class Server implements ApiServer {
  readonly storage: ApiStorage;
  readonly adminToken: Secret;
  readonly #parts: Parts;
  readonly #running = new Set<Promise<Response>>();
  readonly #listeners: HttpServer[] = [];
  #closed: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.storage = parts.storage;
    this.adminToken = parts.token;
  }

  fetch(request: Request): Promise<Response> {
    return this.#answer(request);
  }

  transport(user: ApiUser = ADMIN): Transport {
    return (request) => this.#answer(request, user);
  }

  async listen(options: ListenOptions = {}): Promise<ListeningApi> {
    const { folder, kubeconfig, clock, token, onFailure } = this.#parts;
    const { host = "127.0.0.1", port = 6443 } = options;
    const hosts = [...(options.hosts ?? []), ...(isWildcard(host) ? [] : [host])];
    const pki = await openPki({ folder, hosts, now: () => clock.now() });
    const listener = toListener({ fetch: (request) => this.#answer(request), onFailure });
    const tls = { cert: pki.server.certificate, key: pki.server.key };
    const server = await openHttpServer(listener, { host, port, tls, onError: onFailure }).catch(
      (cause: unknown) => {
        throw explainListenFailure(cause, host, port);
      },
    );
    this.#listeners.push(server);
    const name = isWildcard(host) ? "127.0.0.1" : host;
    const url = `https://${name.includes(":") ? `[${name}]` : name}:${server.port}`;
    await writeKubeconfig(kubeconfig, { server: url, authority: pki.authority, token });
    return { url, port: server.port, kubeconfig, authority: pki.authority };
  }

  idle(): Promise<void> {
    return this.#parts.housekeeping.idle();
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #answer(request: Request, user?: ApiUser): Promise<Response> {
    if (this.#parts.closing.signal.aborted) {
      return respondError(
        failure("ServiceUnavailable", "the server is shutting down", { retryAfterSeconds: 1 }),
      );
    }
    const answer = this.#parts.handle(request, { user });
    this.#running.add(answer);
    try {
      return await answer;
    } finally {
      this.#running.delete(answer);
    }
  }

  async #close(): Promise<void> {
    const { closing, storage, lock, housekeeping } = this.#parts;
    closing.abort();
    await Promise.all(this.#listeners.map((server) => server.close(DRAIN)));
    await Promise.allSettled(this.#running);
    await housekeeping.close();
    await storage.close();
    lock.release();
  }
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}
