import type { CredentialSource } from "../credentials/index.ts";
import type { SignalOptions } from "../oci/index.ts";
import { isRepositoryName, routes } from "../oci/index.ts";
import { Authorizer } from "./authorizer.ts";
import { Dispatcher } from "./dispatcher.ts";
import { ClientError } from "./errors.ts";
import type { ClientEventListener } from "./events.ts";
import { Exchange } from "./exchange.ts";
import { fetchTransport, type Fetch } from "./fetch-transport.ts";
import type { HostResolver } from "./host.ts";
import type { HttpSend } from "./http.ts";
import { listRepositories, type ListOptions } from "./lists.ts";
import { below } from "./place.ts";
import { selectProxy, type ProxyEnvironment } from "./proxy.ts";
import { Repository } from "./repository.ts";
import { RetryPolicy, sleepOnTimer, type RetryOptions, type Sleep } from "./retry.ts";
import { rememberingRequests } from "./sent-secrets.ts";
import { SocketTransport, type SocketTransportOptions } from "./socket-transport.ts";
import { SplitBudget, type SplitOptions } from "./split-options.ts";
import { SubjectLinks } from "./subject.ts";

export interface RegistryClientOptions {
  /** Who we are; nobody by default. */
  readonly credentials?: CredentialSource | undefined;
  /** Which endpoints stand for a registry. */
  readonly hosts: HostResolver;
  /** Sends requests instead of the client's own sockets; or use {@link fetch}. */
  readonly send?: HttpSend | undefined;
  /** Sends requests through a `fetch`, for tests against a registry in memory. */
  readonly fetch?: Fetch | undefined;
  /** Settings of the client's own sockets. */
  readonly transport?: Omit<SocketTransportOptions, "proxy"> | undefined;
  /** Where `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are looked up; no proxies without. */
  readonly env?: ProxyEnvironment | undefined;
  readonly userAgent?: string | undefined;
  readonly retry?: RetryOptions | undefined;
  /** Uploads blobs in parts of this many bytes, for registries behind a limit. In one request by default. */
  readonly chunkSize?: number | undefined;
  /**
   * How large blobs that come slowly are read over several connections; `false`: never. Clients that are given the same
   * budget keep to it together.
   */
  readonly split?: SplitOptions | SplitBudget | false | undefined;
  /** What registries and the client itself want users to know; each text once. */
  readonly onWarning?: ((text: string) => void) | undefined;
  readonly onEvent?: ClientEventListener | undefined;
  /** Milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
  readonly sleep?: Sleep | undefined;
}

/**
 * Speaks to registries for as long as one command, or one node, runs: remembers tokens, connections, and which
 * hosts speak plain HTTP.
 */
export class RegistryClient implements AsyncDisposable {
  readonly #options: RegistryClientOptions;
  readonly #transport: SocketTransport | undefined;
  readonly #exchange: Exchange;
  readonly #policy: RetryPolicy;
  readonly #sleep: Sleep;
  readonly #split: SplitBudget | undefined;
  readonly #links = new Map<string, SubjectLinks>();

  constructor(options: RegistryClientOptions) {
    const { clock = Date.now, userAgent = "dray" } = options;
    const given = options.send ?? (options.fetch === undefined ? undefined : fetchTransport(options.fetch));
    this.#options = options;
    this.#transport = given === undefined ? openTransport(options) : undefined;
    const send = rememberingRequests(given ?? (this.#transport as SocketTransport).send);
    const onEvent = options.onEvent ?? ignore;
    const onWarning = options.onWarning ?? ignore;
    const credentials = options.credentials ?? NOBODY;
    const authorizer = new Authorizer({ credentials, send, userAgent, clock });
    const dispatcher = new Dispatcher({ send, authorizer, userAgent, onEvent, onWarning, clock });
    this.#policy = new RetryPolicy(options.retry ?? {}, options.random ?? Math.random);
    this.#sleep = options.sleep ?? sleepOnTimer;
    this.#split = openSplit(options.split);
    this.#exchange = new Exchange({
      dispatcher,
      hosts: options.hosts,
      policy: this.#policy,
      sleep: this.#sleep,
      clock,
      onEvent,
    });
  }

  /**
   * @param domain the registry as image names spell it: `docker.io`, `localhost:5000`
   * @param path the repository inside it: `library/busybox`
   * @throws ClientError `NAME_UNKNOWN` for a path no repository can have
   */
  repository(domain: string, path: string): Repository {
    if (!isRepositoryName(path)) {
      throw new ClientError(
        "NAME_UNKNOWN",
        `Cannot open repository ${JSON.stringify(path)} of ${JSON.stringify(domain)}: not a repository name`,
      );
    }
    const name = `${domain}/${path}`;
    const links = this.#links.get(name) ?? new SubjectLinks();
    this.#links.set(name, links);
    const place = {
      exchange: this.#exchange,
      policy: this.#policy,
      sleep: this.#sleep,
      domain,
      repository: path,
      chunkSize: this.#options.chunkSize,
      split: this.#split,
      clock: this.#options.clock ?? Date.now,
      onEvent: this.#options.onEvent ?? ignore,
      onWarning: this.#options.onWarning ?? ignore,
    };
    return new Repository(place, links);
  }

  /**
   * Resolves when the registry speaks the protocol and lets us in.
   *
   * @throws ClientError `UNAUTHORIZED`, `RESPONSE_INVALID`, `NETWORK_*`…
   */
  async ping(domain: string, options: SignalOptions = {}): Promise<void> {
    const hosts = await this.#exchange.hostsFor(domain, [], options.signal);
    await this.#exchange.ask(
      {
        domain,
        scopes: [],
        capabilities: [],
        hosts: hosts.slice(-1),
        method: "GET",
        target: below(routes.base()),
        action: `reach registry ${JSON.stringify(domain)}`,
        missing: "UNSUPPORTED",
        accept: [200],
        signal: options.signal,
      },
      ({ response }) => response.discard(),
    );
  }

  /** The registry's repositories, where it tells; most public ones don't. */
  catalog(domain: string, options: ListOptions = {}): AsyncIterable<string> {
    return listRepositories(this.#exchange, domain, options);
  }

  /** Ends what is under way and closes every socket. */
  async close(): Promise<void> {
    await this.#transport?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const NOBODY: CredentialSource = { find: async () => [] };

function openTransport({ transport, env }: RegistryClientOptions): SocketTransport {
  return new SocketTransport({
    ...transport,
    ...(env !== undefined && { proxy: (url: URL) => selectProxy(url, env) }),
  });
}

function ignore(): void {}

function openSplit(split: RegistryClientOptions["split"]): SplitBudget | undefined {
  if (split === false || split instanceof SplitBudget) return split || undefined;
  return new SplitBudget(split ?? {});
}
