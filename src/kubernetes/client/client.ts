import type { GroupVersionResource, JsonObject, KubernetesObject } from "../objects/object.ts";
import type { Status } from "../objects/status.ts";
import { StatusError } from "../objects/status.ts";
import { type Clock, systemClock } from "./clock.ts";
import { isNetworkError, KubernetesClientError, timeoutError } from "./errors.ts";
import { linkSignal } from "./link-signal.ts";
import { ResourceClient } from "./resource-client.ts";
import { readStatus } from "./status-answer.ts";
import type { Transport } from "./transport.ts";

export interface KubernetesClientOptions {
  readonly transport: Transport;
  /** The server's URL, which may have a path: `https://127.0.0.1:6443`. */
  readonly server: string;
  /** Where objects without a namespace belong; `default` by default. */
  readonly namespace?: string | undefined;
  readonly userAgent?: string | undefined;
  /** The name under which fields are owned; the server makes one of the user agent by default. */
  readonly fieldManager?: string | undefined;
  /** Told of warnings that come with answers, such as one about a field that will go away. */
  readonly onWarning?: ((text: string) => void) | undefined;
  readonly clock?: Clock | undefined;
  /** From 0 up to, without, 1. */
  readonly random?: (() => number) | undefined;
  /** Milliseconds until an answer must have begun; one minute by default. */
  readonly timeout?: number | undefined;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface ApiCall {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `/api/v1/namespaces/default/pods`, escaped. */
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: JsonObject | readonly JsonObject[] | string | undefined;
  /** `application/json` by default. */
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Leaves failures to the caller. */
  readonly once?: boolean | undefined;
}

/** Which resource a call is about; every `ApiResource` is one. */
export interface ResourceName extends GroupVersionResource {
  readonly namespaced: boolean;
}

const ATTEMPTS = 5;
const FIRST_DELAY = 250;
/** A server that wants more patience than this is told to its caller. */
const LONGEST_WAIT = 30_000;
const RETRIED: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);

/** Speaks to one API server. Nothing to close but its transport. */
export class KubernetesClient {
  readonly clock: Clock;
  readonly random: () => number;
  readonly namespace: string;
  readonly fieldManager: string | undefined;
  readonly #transport: Transport;
  readonly #server: string;
  readonly #userAgent: string;
  readonly #timeout: number;
  readonly #onWarning: ((text: string) => void) | undefined;

  constructor(options: KubernetesClientOptions) {
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? Math.random;
    this.namespace = options.namespace ?? "default";
    this.fieldManager = options.fieldManager;
    this.#transport = options.transport;
    this.#server = options.server.replace(/\/+$/v, "");
    this.#userAgent = options.userAgent ?? "dray";
    this.#timeout = options.timeout ?? 60_000;
    this.#onWarning = options.onWarning;
  }

  resource<T extends KubernetesObject = KubernetesObject>(name: ResourceName): ResourceClient<T> {
    return new ResourceClient<T>(this, name);
  }

  /**
   * The document a call answers with.
   *
   * @throws StatusError for what the server refused, KubernetesClientError where no sense could be had
   */
  async call<T extends JsonObject = KubernetesObject>(call: ApiCall): Promise<T> {
    const response = await this.open(call);
    const text = await response.text();
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      const message = `Cannot read the answer to ${call.method} "${call.path}": not JSON`;
      throw new KubernetesClientError("RESPONSE_INVALID", message, { cause });
    }
  }

  /**
   * An answer whose body the caller reads or cancels; aborting the signal cuts it. Refusals are thrown. What reads is
   * tried again when the server is busy, out of order or gone for a moment; what changes something only when the
   * server said to come back, since then nothing was done.
   */
  async open(call: ApiCall): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      let delay: number | undefined;
      try {
        const response = await this.#send(call);
        if (this.#onWarning !== undefined) {
          for (const text of readWarnings(response.headers.get("warning"))) this.#onWarning(text);
        }
        if (response.ok) return response;
        const text = await response.text();
        const error = new StatusError(readStatus(response, text, call));
        delay = this.#delayAfter(error.status, call, response);
        if (delay === undefined || attempt >= ATTEMPTS || call.once === true) throw error;
      } catch (error) {
        call.signal?.throwIfAborted();
        if (call.method !== "GET" || call.once === true || attempt >= ATTEMPTS || !isNetworkError(error)) {
          throw error;
        }
      }
      delay ??= Math.round(FIRST_DELAY * 2 ** (attempt - 1) * (1 + this.random()));
      await this.clock.wait(delay, call.signal);
    }
  }

  /** Milliseconds, or undefined when it is no use. */
  #delayAfter(status: Status, call: ApiCall, response: Response): number | undefined {
    const asked = status.details?.retryAfterSeconds;
    const safe = call.method === "GET" ? RETRIED.has(response.status) : response.status === 429;
    if (!safe || (call.method !== "GET" && asked === undefined)) return undefined;
    if (asked !== undefined && asked * 1000 > LONGEST_WAIT) return undefined;
    return asked === undefined ? FIRST_DELAY * 4 : asked * 1000;
  }

  async #send(call: ApiCall): Promise<Response> {
    const { body } = call;
    const link = linkSignal(call.signal);
    const timer = setTimeout(() => link.abort(timeoutError(this.#server)), this.#timeout);
    try {
      const request = new Request(`${this.#server}${call.path}${formatQuery(call.query)}`, {
        method: call.method,
        headers: {
          accept: call.accept ?? "application/json",
          "user-agent": this.#userAgent,
          ...(body !== undefined && { "content-type": call.contentType ?? "application/json" }),
        },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
        signal: link.signal,
      });
      return link.follow(await this.#transport(request));
    } catch (error) {
      link.release();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** `299 - "text", 299 - "more text"`: the only kind that API servers send. */
function readWarnings(header: string | null): readonly string[] {
  const quoted = (header ?? "").matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/gv);
  return [...quoted].map(([, text = ""]) => text.replaceAll(/\\(.)/gv, "$1"));
}

function formatQuery(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "" && value !== false) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? "" : `?${parameters.toString()}`;
}
