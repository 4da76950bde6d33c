/**
 * Digests that were asked for, and when.
 *
 * ```text
 * age   0 ──────── ttl ────────── ttl + stale ─────────────── keep ──►
 *       as it is   as it is, and  asked again; what was known   forgotten
 *                  asked again    counts where nobody answers
 * ```
 *
 * An answer belongs to who asked: the next one gets it only when he asks with the same Secrets, ServiceAccount and
 * namespace, unless it was found with nobody's own credentials.
 */
import type { DigestAnswer, DigestFailure, DigestQuestion, DigestResolver } from "./digest-resolver.ts";
import { isDefinite } from "./digest-resolver.ts";

export interface DigestMemoryOptions {
  readonly resolver: DigestResolver;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls back once after so many milliseconds, unless it is called off. */
  readonly startTimer: (milliseconds: number, callback: () => void) => () => void;
  /** In milliseconds, as all of these; 5 minutes by default. */
  readonly ttl?: number | undefined;
  /** How much longer an answer is given while it is asked for again; an hour by default. */
  readonly stale?: number | undefined;
  /** How long an answer is kept for times when nobody answers; a week by default. */
  readonly keep?: number | undefined;
  /** How long a registry that couldn't be asked is left alone; 5 seconds by default. */
  readonly pause?: number | undefined;
  /** How long one question may take, however early those who asked gave up; 30 seconds by default. */
  readonly questionTimeout?: number | undefined;
  /** How long somebody waits who has no deadline of his own; 10 seconds by default. */
  readonly patience?: number | undefined;
  /** Answers kept; 10 000 by default. */
  readonly capacity?: number | undefined;
  /** Told how each question ended. */
  readonly onAnswer?: ((answer: DigestAnswer) => void) | undefined;
  /** Told of what a resolver throws for no good reason; those who asked hear that it could not be asked. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** What is known: a digest with its age in milliseconds; or why not, with what was known before. */
export type Knowledge =
  | { readonly digest: string; readonly age: number; readonly failure?: undefined }
  | { readonly failure: DigestFailure; readonly lastKnown?: KnownDigest | undefined };

export interface KnownDigest {
  readonly digest: string;
  readonly age: number;
}

interface Entry {
  readonly digest: string;
  readonly at: number;
}

const MINUTE = 60_000;
/** Questions under way at a time; beyond them, something is badly wrong with a registry. */
const MAX_FLIGHTS = 256;

export class DigestMemory implements AsyncDisposable {
  readonly #options: DigestMemoryOptions;
  readonly #ttl: number;
  readonly #stale: number;
  readonly #keep: number;
  readonly #entries = new Map<string, Entry>();
  readonly #failures = new Map<string, { readonly failure: DigestFailure; readonly until: number }>();
  readonly #flights = new Map<string, Promise<DigestAnswer>>();
  readonly #closing = new AbortController();

  constructor(options: DigestMemoryOptions) {
    this.#options = options;
    this.#ttl = options.ttl ?? 5 * MINUTE;
    this.#stale = options.stale ?? 60 * MINUTE;
    this.#keep = Math.max(options.keep ?? 7 * 24 * 60 * MINUTE, this.#ttl + this.#stale);
  }

  /** A digest that is at hand. What grows old is asked for again meanwhile. */
  find(question: DigestQuestion): KnownDigest | undefined {
    const known = this.#known(question);
    if (known === undefined || known.age >= this.#ttl + this.#stale) return undefined;
    if (known.age >= this.#ttl) void this.#ask(question, keyOf(question));
    return known;
  }

  /** Asks where nothing is at hand, and waits until the deadline at most. */
  async learn(
    question: DigestQuestion,
    options: { readonly deadline?: AbortSignal | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Knowledge> {
    const found = this.find(question);
    if (found !== undefined) return found;
    const own = options.deadline === undefined ? this.#startDeadline() : undefined;
    try {
      const deadline = options.deadline ?? own?.signal ?? AbortSignal.abort();
      return this.#judge(
        question,
        await before(this.#ask(question, keyOf(question)), { ...options, deadline }),
      );
    } finally {
      own?.callOff();
    }
  }

  #judge(question: DigestQuestion, answer: DigestAnswer | "timeout"): Knowledge {
    if (answer === "timeout") {
      const failure = { code: "TIMEOUT", message: "the registry has not answered yet" } as const;
      return { failure, lastKnown: this.#known(question) };
    }
    if ("digest" in answer) return { digest: answer.digest, age: 0 };
    const lastKnown = isDefinite(answer.failure) ? undefined : this.#known(question);
    return { failure: answer.failure, lastKnown };
  }

  #startDeadline(): { readonly signal: AbortSignal; readonly callOff: () => void } {
    const { startTimer, patience = 10_000 } = this.#options;
    const controller = new AbortController();
    return { signal: controller.signal, callOff: startTimer(patience, () => controller.abort()) };
  }

  /** Gives up on questions under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#flights.values());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #known(question: DigestQuestion): KnownDigest | undefined {
    const entry = this.#entries.get(keyOf(question)) ?? this.#entries.get(question.image);
    if (entry === undefined) return undefined;
    const age = this.#options.now() - entry.at;
    return age < this.#keep ? { digest: entry.digest, age } : undefined;
  }

  /** Never rejects. Everybody who asks the same at the same time, as the same, waits for one answer. */
  #ask(question: DigestQuestion, key: string): Promise<DigestAnswer> {
    const underWay = this.#flights.get(key);
    if (underWay !== undefined) return underWay;
    const failed = this.#failures.get(key);
    if (failed !== undefined && this.#options.now() < failed.until) {
      return Promise.resolve({ failure: failed.failure });
    }
    if (this.#flights.size >= MAX_FLIGHTS) {
      const message = `${MAX_FLIGHTS} other images are being asked for`;
      return Promise.resolve({ failure: { code: "UNREACHABLE", message } });
    }
    const flight = this.#fly(question, key).finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  async #fly(question: DigestQuestion, key: string): Promise<DigestAnswer> {
    const { resolver, startTimer, questionTimeout = 30_000, onAnswer } = this.#options;
    const timeout = new AbortController();
    const callOff = startTimer(questionTimeout, () => timeout.abort());
    const signal = AbortSignal.any([timeout.signal, this.#closing.signal]);
    let answer: DigestAnswer;
    try {
      answer = await resolver.resolve(question, { signal });
    } catch (error) {
      if (!signal.aborted) this.#options.onError?.(error);
      const message = signal.aborted ? "the registry did not answer in time" : "it could not be asked";
      answer = { failure: { code: signal.aborted ? "TIMEOUT" : "UNREACHABLE", message } };
    } finally {
      callOff();
    }
    this.#remember(question, { key, answer });
    onAnswer?.(answer);
    return answer;
  }

  #remember(
    { image }: DigestQuestion,
    { key, answer }: { readonly key: string; readonly answer: DigestAnswer },
  ): void {
    const now = this.#options.now();
    if ("digest" in answer) {
      this.#failures.delete(key);
      const place = answer.openToAll === true ? image : key;
      if (place === image) this.#entries.delete(key);
      keepIn(this.#entries, place, { digest: answer.digest, at: now }, this.#options.capacity);
      return;
    }
    const { failure } = answer;
    if (isDefinite(failure)) return this.#forget(image, key);
    const until = now + (this.#options.pause ?? 5000);
    keepIn(this.#failures, key, { failure, until }, this.#options.capacity);
  }

  /** An image that is gone, or was everybody's and is private now. */
  #forget(image: string, key: string): void {
    this.#entries.delete(key);
    const shared = this.#entries.get(image);
    if (shared !== undefined && this.#options.now() - shared.at >= this.#ttl) this.#entries.delete(image);
  }
}

/** Never the name of an image: what is everybody's stands under that. */
function keyOf(question: DigestQuestion): string {
  const { image, namespace, serviceAccountName, imagePullSecrets } = question;
  return JSON.stringify([image, namespace, serviceAccountName, imagePullSecrets]);
}

/** The oldest goes when there are too many. */
function keepIn<V>(map: Map<string, V>, key: string, value: V, capacity = 10_000): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > capacity && oldest !== undefined) map.delete(oldest);
}

function before<T>(
  promise: Promise<T>,
  { deadline, signal }: { readonly deadline: AbortSignal; readonly signal?: AbortSignal | undefined },
): Promise<T | "timeout"> {
  return new Promise((resolve, reject) => {
    const onDeadline = (): void => settle(() => resolve("timeout"));
    const onAbort = (): void => settle(() => reject(signal?.reason as Error));
    const settle = (end: () => void): void => {
      deadline.removeEventListener("abort", onDeadline);
      signal?.removeEventListener("abort", onAbort);
      end();
    };
    if (signal?.aborted === true) return onAbort();
    if (deadline.aborted) return onDeadline();
    deadline.addEventListener("abort", onDeadline);
    signal?.addEventListener("abort", onAbort);
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error as Error)),
    );
  });
}
