/**
 * Lets observers see what a registry does, without a part in it.
 *
 * ```text
 * request ─► onBegin ─► mayChange? ─► handler ─► onAnswer (a change's answer waits for it) ─► bytes ─► onEnd
 * ```
 */
import { isDigest, type Digest } from "../../oci/index.ts";
import type { AccessControl, Decision } from "../access.ts";
import type { RegistryMetadata } from "../metadata.ts";
import type { RegistryRequest, RegistryResponse } from "../request.ts";
import { refuse } from "../respond.ts";
import { type ExchangeContent, type Observer, ObservedRequest } from "./exchange.ts";

export interface WatchOptions {
  readonly observers: readonly Observer[];
  /** Asked for sizes, and for what a tag stood for. */
  readonly metadata: RegistryMetadata;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Told of what observers threw. */
  readonly onFailure: (error: unknown) => void;
}

type Handle = (request: RegistryRequest) => RegistryResponse | Promise<RegistryResponse>;

export class Watch {
  readonly #options: WatchOptions;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** The same access control, whose decisions are noted. */
  access(inner: AccessControl): AccessControl {
    const note = (request: RegistryRequest, decision: Decision): Decision => {
      if (request instanceof ObservedRequest) request.noteDecision(decision);
      return decision;
    };
    return {
      authorize: (request, wanted) => {
        const decision = inner.authorize(request, wanted);
        return decision instanceof Promise
          ? decision.then((one) => note(request, one))
          : note(request, decision);
      },
      viewFor: (request) => inner.viewFor(request),
      serve: (request) => inner.serve?.(request),
      lockedOut: () => inner.lockedOut?.() ?? [],
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    };
  }

  handle(request: RegistryRequest, inner: Handle): RegistryResponse | Promise<RegistryResponse> {
    const exchange = new ObservedRequest(request, this.#options.clock());
    this.#tell((one) => one.onBegin?.(exchange));
    if (exchange.method !== "GET" && exchange.method !== "HEAD") return this.#change(exchange, inner);
    const response = inner(exchange);
    return response instanceof Promise
      ? response.then((one) => this.#answer(exchange, one))
      : this.#answer(exchange, response);
  }

  async #change(exchange: ObservedRequest, inner: Handle): Promise<RegistryResponse> {
    const doubt = await this.#findDoubt();
    if (doubt !== undefined) {
      return this.#answer(exchange, refuse("UNAVAILABLE", doubt, { headers: { "Retry-After": 30 } }));
    }
    const before = this.#hears ? await this.#contentBefore(exchange) : undefined;
    const response = await inner(exchange);
    exchange.noteAnswer(response);
    if (this.#hears) exchange.content = before ?? (await this.#contentAfter(exchange));
    for (const observer of this.#options.observers) await this.#hear(observer, exchange);
    return this.#send(exchange, response);
  }

  #answer(exchange: ObservedRequest, response: RegistryResponse): RegistryResponse {
    exchange.noteAnswer(response);
    // Nobody holds back an answer that changed nothing, and most have nothing to say of it.
    if (this.#hears) this.#tell((one) => void one.onAnswer?.(exchange)?.catch(this.#options.onFailure));
    return this.#send(exchange, response);
  }

  #send(exchange: ObservedRequest, response: RegistryResponse): RegistryResponse {
    const { body } = response;
    const end = (): void => {
      exchange.end();
      this.#tell((one) => one.onEnd?.(exchange));
    };
    if (body !== undefined && !(body instanceof Uint8Array)) {
      return { ...response, body: exchange.countStream(body, end) };
    }
    exchange.bytesOut = body?.length ?? 0;
    end();
    return response;
  }

  /** Observers may come while the registry serves. */
  get #hears(): boolean {
    return this.#options.observers.some((one) => one.onAnswer !== undefined);
  }

  async #hear(observer: Observer, exchange: ObservedRequest): Promise<void> {
    try {
      await observer.onAnswer?.(exchange);
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  async #findDoubt(): Promise<string | undefined> {
    for (const observer of this.#options.observers) {
      const doubt = await observer.mayChange?.();
      if (doubt !== undefined) return doubt;
    }
    return undefined;
  }

  /** What a tag that goes stands for is nowhere to be found afterwards. */
  async #contentBefore({ method, match }: ObservedRequest): Promise<ExchangeContent | undefined> {
    if (method !== "DELETE" || match?.route !== "manifest" || match.reference.includes(":")) return undefined;
    return await this.#find(() => this.#options.metadata.findTag(match.name, match.reference));
  }

  async #contentAfter(exchange: ObservedRequest): Promise<ExchangeContent | undefined> {
    const { match, status } = exchange;
    if (status !== 201 || (match?.route !== "upload" && match?.route !== "uploads")) return undefined;
    const digest = exchange.answered("docker-content-digest") ?? "";
    if (!isDigest(digest)) return undefined;
    return await this.#find(() => this.#options.metadata.findBlob(match.name, digest));
  }

  async #find(
    look: () => Promise<{ readonly digest: Digest; readonly size: number } | undefined>,
  ): Promise<ExchangeContent | undefined> {
    try {
      return await look();
    } catch (error) {
      this.#options.onFailure(error);
      return undefined;
    }
  }

  #tell(word: (observer: Observer) => void): void {
    for (const observer of this.#options.observers) {
      try {
        word(observer);
      } catch (error) {
        this.#options.onFailure(error);
      }
    }
  }
}
