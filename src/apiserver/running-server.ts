/** An API server that is open: answers in this process, and on ports. */
import type { FileLock } from "../internal/file-lock.ts";
import { type HttpServer, openHttpServer } from "../internal/http-server.ts";
import type { Secret } from "../internal/secret.ts";
import { failure, type Transport } from "../kubernetes/index.ts";
import { writeKubeconfig } from "./auth/kubeconfig.ts";
import { openPki } from "./auth/pki.ts";
import { ADMIN, type ApiUser } from "./auth/user.ts";
import type { ApiClock } from "./clock.ts";
import { listenFailure } from "./errors.ts";
import type { ApiHandler } from "./http/handler.ts";
import { toListener } from "./http/listen.ts";
import { respondError } from "./http/respond.ts";
import type { Housekeeping } from "./lifecycle/housekeeping.ts";
import type { ApiStorage } from "./storage/storage.ts";

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

export interface ApiServerParts {
  readonly folder: string;
  readonly handle: ApiHandler;
  readonly storage: ApiStorage;
  /** Whether the storage ends with the server. */
  readonly ownsStorage: boolean;
  readonly lock: FileLock;
  readonly closing: AbortController;
  readonly housekeeping: Housekeeping;
  readonly kubeconfig: string;
  readonly token: Secret;
  readonly clock: ApiClock;
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

export class RunningApiServer implements ApiServer {
  readonly storage: ApiStorage;
  readonly adminToken: Secret;
  readonly #parts: ApiServerParts;
  readonly #running = new Set<Promise<Response>>();
  readonly #listeners: HttpServer[] = [];
  #closed: Promise<void> | undefined;

  constructor(parts: ApiServerParts) {
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
        throw listenFailure(cause, host, port);
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
    const { closing, storage, ownsStorage, lock, housekeeping } = this.#parts;
    closing.abort();
    await Promise.all(this.#listeners.map((server) => server.close(DRAIN)));
    await Promise.allSettled(this.#running);
    await housekeeping.close();
    if (ownsStorage) await storage.close();
    lock.release();
  }
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}
