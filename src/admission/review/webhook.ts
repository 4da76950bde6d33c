/**
 * A webhook: answers AdmissionReviews by running chains of plugins, without a socket of its own.
 *
 * ```ts
 * import { alwaysPullImages, Webhook } from "dray/admission";
 *
 * const webhook = new Webhook({ routes: { "/mutate": { chain: [alwaysPullImages], phase: "admit" } } });
 * const review = JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request });
 * const headers = { "content-type": "application/json" };
 * await webhook.fetch(new Request("https://dray/mutate?timeout=3s", { method: "POST", headers, body: review }));
 * ```
 */
import { parseDuration } from "../../internal/go/duration.ts";
import { failure, StatusError } from "../../kubernetes/index.ts";
import type { AdmissionDecision, AdmissionPlugin } from "../admission.ts";
import { type RunAdmissionOptions, startAdmission } from "../run-admission.ts";
import { cutOutUid, formatReview } from "./format-review.ts";
import type { ReadReview } from "./read-review.ts";
import { type RecalledReview, ReviewMemory } from "./review-memory.ts";

export interface WebhookRoute {
  readonly chain: readonly AdmissionPlugin[];
  /** What the API server asks for there: changes, or a verdict. */
  readonly phase: "admit" | "validate";
}

/** What became of one review. */
export interface ReviewReport {
  readonly path: string;
  readonly review: ReadReview;
  readonly decision: AdmissionDecision;
  readonly milliseconds: number;
}

export interface WebhookOptions {
  /** By path, as in the configuration of the API server. */
  readonly routes: Readonly<Record<string, WebhookRoute>>;
  /** How long an answer may take, in milliseconds; less where the API server waits less. 9 seconds by default. */
  readonly deadline?: number | undefined;
  /** Bytes of a review; 8 MiB by default: two of the largest objects there can be. */
  readonly bodyLimit?: number | undefined;
  /** Calls back once after so many milliseconds, unless it is called off. */
  readonly startTimer?: ((milliseconds: number, callback: () => void) => () => void) | undefined;
  /** Milliseconds that only ever grow. */
  readonly clock?: (() => number) | undefined;
  readonly onReview?: ((report: ReviewReport) => void) | undefined;
  /** Told of defects; the API server hears that there was one. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

export interface WebhookRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
}

export interface WebhookAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body: string;
}

/** One review on its way through the chain. */
interface Work {
  readonly path: string;
  readonly route: WebhookRoute;
  readonly review: RecalledReview;
  readonly limits: Limits;
  readonly started: number;
}

const DEFAULT_DEADLINE = 9000;
const DEFAULT_BODY_LIMIT = 8 * 1024 * 1024;
/** Of the time the API server waits, for the way there and back. */
const TRAVEL_SHARE = 0.1;
/** How long what was let pass may be let pass again unseen, in milliseconds: less than any digest lasts. */
const ANSWER_LIFETIME = 1000;
const JSON_HEADERS = { "content-type": "application/json" };

export class Webhook {
  readonly #options: WebhookOptions;
  readonly #routes: ReadonlyMap<string, WebhookRoute>;
  /** By the query's text: there are only ever a few. */
  readonly #deadlines = new Map<string, number>();
  readonly #reviews = new ReviewMemory();
  readonly #clock: () => number;
  readonly bodyLimit: number;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#routes = new Map(Object.entries(options.routes));
    this.#clock = options.clock ?? performanceNow;
    this.bodyLimit = options.bodyLimit ?? DEFAULT_BODY_LIMIT;
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    const { method, signal } = request;
    const contentType = request.headers.get("content-type") ?? undefined;
    const body = await readAll(request, this.bodyLimit);
    const answer =
      body === undefined
        ? this.tooLarge()
        : await this.handle({ method, target: pathname + search, contentType, body }, () => signal);
    return new Response(answer.body, { status: answer.status, headers: answer.headers });
  };

  /**
   * At once where nobody has to be waited for; never throws, never rejects.
   *
   * @param gone makes a signal that is aborted when nobody waits for the answer any more; called for who waits
   */
  handle(request: WebhookRequest, gone?: () => AbortSignal): WebhookAnswer | Promise<WebhookAnswer> {
    try {
      const answer = this.#answer(request, gone);
      return answer instanceof Promise ? answer.catch((error: unknown) => this.#failed(error)) : answer;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): WebhookAnswer {
    if (error instanceof StatusError) return statusAnswer(error);
    // Nobody is there any more to be answered.
    const gone = error instanceof DOMException && error.name === "AbortError";
    if (!gone) this.#options.onError?.(error);
    return statusAnswer(failure("InternalError", "Cannot review this request: the webhook has a defect"));
  }

  /** The answer to more bytes than `bodyLimit`. */
  tooLarge(): WebhookAnswer {
    const message = `Cannot review this request: it has more than ${this.bodyLimit} bytes`;
    return statusAnswer(failure("RequestEntityTooLarge", message));
  }

  #answer(
    request: WebhookRequest,
    gone: (() => AbortSignal) | undefined,
  ): WebhookAnswer | Promise<WebhookAnswer> {
    const query = request.target.indexOf("?");
    const path = query === -1 ? request.target : request.target.slice(0, query);
    const route = this.#routes.get(path);
    if (route === undefined) {
      const paths = [...this.#routes.keys()].join(", ");
      throw failure("NotFound", `Cannot find ${JSON.stringify(path)}: reviews are answered at ${paths}`);
    }
    if (request.method !== "POST") {
      const answer = statusAnswer(
        failure("MethodNotAllowed", "Cannot review this request: reviews are posted"),
      );
      return { ...answer, headers: { ...answer.headers, allow: "POST" } };
    }
    const started = this.#clock();
    const review = this.#read(request);
    const known = review.answers?.get(path);
    if (known !== undefined && started < known.until) {
      this.#report({ path, review, decision: known.decision, started });
      return { status: 200, headers: JSON_HEADERS, body: known.text[0] + review.uid + known.text[1] };
    }
    const timeout = query === -1 ? "" : request.target.slice(query);
    const limits = new Limits(route.phase, {
      startTimer: this.#options.startTimer ?? startRealTimer,
      milliseconds: this.#deadlineOf(timeout),
      gone,
    });
    return this.#decide({ path, route, review, limits, started });
  }

  #decide(work: Work): WebhookAnswer | Promise<WebhookAnswer> {
    const { route, review, limits } = work;
    let waits = false;
    try {
      const decision = startAdmission(route.chain, review.request, limits);
      if (!(decision instanceof Promise)) return this.#conclude(work, decision);
      waits = true;
      return decision.then((late) => this.#conclude(work, late)).finally(() => limits.end());
    } finally {
      if (!waits) limits.end();
    }
  }

  #conclude({ path, review, started }: Work, decision: AdmissionDecision): WebhookAnswer {
    const body = formatReview(review, decision);
    if (review.answers !== undefined && decision.allowed && decision.warnings.length === 0) {
      const text = cutOutUid(body, review.uid);
      review.answers.set(path, { decision, text, until: this.#clock() + ANSWER_LIFETIME });
    }
    this.#report({ path, review, decision, started });
    return { status: 200, headers: JSON_HEADERS, body };
  }

  #report({ started, ...report }: Omit<ReviewReport, "milliseconds"> & { readonly started: number }): void {
    this.#options.onReview?.({ ...report, milliseconds: this.#clock() - started });
  }

  #read({ contentType = "", body }: WebhookRequest): RecalledReview {
    if (contentType !== "application/json") checkType(contentType);
    try {
      return this.#reviews.read(body);
    } catch (error) {
      if (error instanceof StatusError) throw error;
      throw failure("BadRequest", "Cannot review this request: its body is no JSON");
    }
  }

  #deadlineOf(query: string): number {
    const known = this.#deadlines.get(query);
    if (known !== undefined) return known;
    const own = this.#options.deadline ?? DEFAULT_DEADLINE;
    const asked = readTimeout(query);
    const deadline = asked === undefined ? own : Math.min(own, asked * (1 - TRAVEL_SHARE));
    if (this.#deadlines.size < 100) this.#deadlines.set(query, deadline);
    return deadline;
  }
}

/**
 * How long a review may take; the timer runs only for those who wait. A class, for its getters: an object literal with
 * getters gets a hidden shape of its own each time, which only a full collection of garbage takes away again.
 */
class Limits implements RunAdmissionOptions {
  readonly phase: "admit" | "validate";
  readonly #startTimer: NonNullable<WebhookOptions["startTimer"]>;
  readonly #milliseconds: number;
  readonly #gone: (() => AbortSignal) | undefined;
  #controller: AbortController | undefined;
  #callOff: (() => void) | undefined;

  constructor(
    phase: "admit" | "validate",
    limits: {
      readonly startTimer: NonNullable<WebhookOptions["startTimer"]>;
      readonly milliseconds: number;
      readonly gone: (() => AbortSignal) | undefined;
    },
  ) {
    this.phase = phase;
    this.#startTimer = limits.startTimer;
    this.#milliseconds = limits.milliseconds;
    this.#gone = limits.gone;
  }

  get signal(): AbortSignal | undefined {
    return this.#gone?.();
  }

  get deadline(): AbortSignal {
    const controller = (this.#controller ??= new AbortController());
    this.#callOff ??= this.#startTimer(this.#milliseconds, () => controller.abort());
    return controller.signal;
  }

  end(): void {
    this.#callOff?.();
  }
}

/** @throws StatusError `UnsupportedMediaType` */
function checkType(contentType: string): void {
  if (contentType.split(";", 1)[0]?.trim().toLowerCase() === "application/json") return;
  const given = contentType === "" ? "no content type" : `content type ${JSON.stringify(contentType)}`;
  throw failure("UnsupportedMediaType", `Cannot review this request: it has ${given}, not application/json`);
}

/** Milliseconds of `?timeout=3s`. */
function readTimeout(query: string): number | undefined {
  const text = new URLSearchParams(query).get("timeout");
  if (text === null) return undefined;
  try {
    const milliseconds = Number(parseDuration(text) / 1_000_000n);
    return milliseconds > 0 ? milliseconds : undefined;
  } catch {
    return undefined;
  }
}

function statusAnswer(error: StatusError): WebhookAnswer {
  const { status } = error;
  return { status: status.code ?? 500, headers: JSON_HEADERS, body: JSON.stringify(status) };
}

/** Undefined for more than the limit, of which no more is read. */
async function readAll(request: Request, limit: number): Promise<Uint8Array | undefined> {
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body as ReadableStream<Uint8Array>) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function performanceNow(): number {
  return performance.now();
}

function startRealTimer(milliseconds: number, callback: () => void): () => void {
  const timer = setTimeout(callback, milliseconds);
  return () => clearTimeout(timer);
}
