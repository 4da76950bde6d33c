import { openHttpServer, type HttpServer, type TlsIdentity } from "../internal/http-server.ts";
import { explainListenFailure } from "../internal/listen-failure.ts";
import { RegistryError } from "./errors.ts";
import { listenWith, type Answered } from "./node-http.ts";
import { openRegistry, type Registry, type RegistryOptions } from "./registry.ts";
import { openRegistryDirectory, type RegistryDirectoryOptions } from "./directory.ts";

export interface ListenOptions {
  /** `127.0.0.1` by default; `::` for all addresses of the machine. */
  readonly host?: string | undefined;
  /** 5000 by default, 0 for any free one. */
  readonly port?: number | undefined;
  readonly tls?: TlsIdentity | undefined;
  /** With `tls`: speak HTTP/2 with clients that offer it; no by default. */
  readonly http2?: boolean | undefined;
  /** A connection on which nothing moves for so long is cut; in milliseconds, two minutes by default. */
  readonly idleTimeout?: number | undefined;
  /** How long requests under way may take to finish when the registry closes, in milliseconds; 10 s by default. */
  readonly drainTimeout?: number | undefined;
  /** Told of every answer as it begins to be sent. */
  readonly onAnswer?: ((answered: Answered) => void) | undefined;
  /** Closes the registry. */
  readonly signal?: AbortSignal | undefined;
}

/** Everything in one folder, or wherever the two ports keep it, or a registry that is open already. */
export type ServeRegistryOptions = ListenOptions &
  (
    | ({ readonly dir: string } & RegistryDirectoryOptions)
    | ({ readonly dir?: undefined; readonly registry?: undefined } & RegistryOptions)
    | {
        readonly dir?: undefined;
        /** Closed by whoever opened it, after this. */
        readonly registry: Registry;
        readonly onFailure?: RegistryOptions["onFailure"];
      }
  );

export interface ServedRegistry extends AsyncDisposable {
  /** Without port: `127.0.0.1`, `::1`. */
  readonly address: string;
  readonly port: number;
  readonly registry: Registry;
  /**
   * Shows another certificate to connections from now on; those that are open go on.
   *
   * @throws RegistryError `TLS_INVALID`; the one of before stays
   */
  setIdentity(tls: TlsIdentity): void;
  /** Lets requests under way finish, then closes what `serveRegistry` opened. Harmless when called twice. */
  close(): Promise<void>;
}

/**
 * Serves a registry on a port until it is closed.
 *
 * @throws RegistryError when the port can't be listened on; DatabaseError, StoreError when `dir` can't be used
 */
export async function serveRegistry(options: ServeRegistryOptions): Promise<ServedRegistry> {
  options.signal?.throwIfAborted();
  const [registry, closeRegistry] = await open(options);
  let server: HttpServer;
  try {
    server = await listen(registry, options);
  } catch (error) {
    await closeRegistry();
    throw error;
  }
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= server.close(options.drainTimeout ?? 10_000).then(closeRegistry));
  const onAbort = (): void => void close().catch((error: unknown) => options.onFailure?.(error));
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const stop = (): Promise<void> => {
    options.signal?.removeEventListener("abort", onAbort);
    return close();
  };
  const { address, port } = server;
  const setIdentity = (tls: TlsIdentity): void => {
    try {
      server.setIdentity(tls);
    } catch (cause) {
      throw explain(cause, address, port);
    }
  };
  return { address, port, registry, setIdentity, close: stop, [Symbol.asyncDispose]: stop };
}

async function open(options: ServeRegistryOptions): Promise<[Registry, close: () => Promise<void>]> {
  if (options.dir === undefined && options.registry !== undefined) return [options.registry, async () => {}];
  const registry =
    options.dir === undefined ? openRegistry(options) : await openRegistryDirectory(options.dir, options);
  return [registry, () => registry.close()];
}

async function listen(registry: Registry, options: ServeRegistryOptions): Promise<HttpServer> {
  const { host = "127.0.0.1", port = 5000, tls, http2, idleTimeout } = options;
  try {
    const listener = listenWith(registry, options);
    return await openHttpServer(listener, {
      host,
      port,
      tls,
      http2,
      idleTimeout,
      onError: options.onFailure,
    });
  } catch (cause) {
    throw explain(cause, host, port);
  }
}

function explain(cause: unknown, host: string, port: number): unknown {
  const badIdentity = "the certificate and key cannot be used; both have to be PEM and belong together";
  const failure = explainListenFailure(cause, { what: "the registry", host, port, badIdentity });
  return failure === undefined ? cause : new RegistryError(failure.code, failure.message, { cause });
}
