import { matchRoute, type ByteConsumer, type RouteMatch } from "../../oci/index.ts";
import type { Decision } from "../access.ts";
import type { RegistryRequest, RegistryResponse, RequestBody, ResponseStream } from "../request.ts";
import { decodePath } from "../route-rules.ts";

/** What content a change is about, where neither request nor answer says it. */
export interface ExchangeContent {
  readonly digest?: string | undefined;
  /** Bytes. */
  readonly size?: number | undefined;
}

/** One request and what became of it, for those who count, log and tell. */
export interface Exchange {
  readonly request: RegistryRequest;
  /** `undefined` for a path that no route has. */
  readonly match: RouteMatch | undefined;
  /** When it came; milliseconds since the epoch. */
  readonly time: number;
  /** Milliseconds from its coming to the last byte of its answer; until then, so far. */
  readonly duration: number;
  /** Bytes of its body that were read. */
  readonly bytesIn: number;
  /** Bytes of the answer's body that were handed on. */
  readonly bytesOut: number;
  /** 0 before there is an answer. */
  readonly status: number;
  /** How it logged in: `alice`, `robot+ci`; `undefined` for nobody. */
  readonly caller: string | undefined;
  /** Why it was refused by access control. */
  readonly denial: string | undefined;
  readonly content: ExchangeContent | undefined;
  /** A header of the answer by its lower-case name. */
  answered(name: string): string | undefined;
}

/** Told of exchanges. What it throws is reported, and changes no answer. */
export interface Observer {
  /** A request came. */
  onBegin?(exchange: Exchange): void;
  /** The answer is ready; that of a request which may change something waits until this settles. */
  onAnswer?(exchange: Exchange): void | Promise<void>;
  /** The answer is out, or its reader left. */
  onEnd?(exchange: Exchange): void;
  /** Asked before a request that changes something; a sentence refuses it for now. */
  mayChange?(): string | undefined | Promise<string | undefined>;
}

/** The request as handlers see it, counting as it goes. */
export class ObservedRequest implements RegistryRequest, Exchange {
  readonly request: RegistryRequest;
  readonly method: string;
  readonly target: string;
  readonly time: number;
  bytesIn = 0;
  bytesOut = 0;
  status = 0;
  caller: string | undefined = undefined;
  denial: string | undefined = undefined;
  content: ExchangeContent | undefined = undefined;
  readonly #started = performance.now();
  #ended = 0;
  #match: RouteMatch | undefined | null = null;
  #headers: readonly string[] = [];
  #body: RequestBody | undefined;

  constructor(request: RegistryRequest, time: number) {
    this.request = request;
    this.method = request.method;
    this.target = request.target;
    this.time = time;
  }

  get match(): RouteMatch | undefined {
    if (this.#match !== null) return this.#match;
    const mark = this.target.indexOf("?");
    return (this.#match = matchRoute(decodePath(mark < 0 ? this.target : this.target.slice(0, mark))));
  }

  get duration(): number {
    return (this.#ended || performance.now()) - this.#started;
  }

  get address(): string | undefined {
    return this.request.address;
  }

  get secure(): boolean | undefined {
    return this.request.secure;
  }

  get protocol(): string | undefined {
    return this.request.protocol;
  }

  get body(): RequestBody {
    return (this.#body ??= this.#countBody(this.request.body));
  }

  header(name: string): string | undefined {
    return this.request.header(name);
  }

  answered(name: string): string | undefined {
    for (let at = 0; at + 1 < this.#headers.length; at += 2) {
      const key = this.#headers[at] as string;
      if (key.length === name.length && key.toLowerCase() === name) return this.#headers[at + 1];
    }
    return undefined;
  }

  noteDecision(decision: Decision): void {
    this.caller = decision.caller;
    if (!decision.allowed) this.denial = decision.reason;
  }

  noteAnswer(response: RegistryResponse): void {
    this.status = response.status;
    this.#headers = response.headers;
  }

  end(): void {
    this.#ended = performance.now();
  }

  /** Counts what is sent, and calls back when it is over. */
  countStream(stream: ResponseStream, onClose: () => void): ResponseStream {
    let closed = false;
    return {
      length: stream.length,
      // Only such a stream may have to wait, and is sent accordingly.
      ...(stream.cancel !== undefined && { cancel: () => stream.cancel?.() }),
      pump: (consume: ByteConsumer) =>
        stream.pump((chunk) => {
          const { length } = chunk;
          const taken = consume(chunk);
          if (!(taken instanceof Promise)) {
            this.bytesOut += length;
            return undefined;
          }
          return taken.then(() => {
            this.bytesOut += length;
          });
        }),
      close: async () => {
        await stream.close();
        if (closed) return;
        closed = true;
        onClose();
      },
    };
  }

  #countBody(body: RequestBody): RequestBody {
    return {
      length: body.length,
      given: body.given,
      pump: (consume) =>
        body.pump((chunk) => {
          this.bytesIn += chunk.length;
          return consume(chunk);
        }),
    };
  }
}
