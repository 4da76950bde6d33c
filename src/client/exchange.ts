/**
 * One question, asked until it is answered: of the hosts in their order, of all of them again after a pause where
 * that may help. Another host is tried before the same one is asked twice, because a mirror that is down should
 * cost nothing.
 */
import { answerError } from "./answer-error.ts";
import type { Dispatch, Dispatcher } from "./dispatcher.ts";
import { ClientError, type ClientErrorCode } from "./errors.ts";
import type { ClientEventListener } from "./events.ts";
import type { HostCapability, HostResolver, RegistryHost } from "./host.ts";
import type { HttpResponse } from "./http.ts";
import { hasCapability } from "./hosts-capability.ts";
import { isTransient, type RetryPolicy, type Sleep } from "./retry.ts";

export interface Call extends Dispatch {
  /** What is attempted, for messages: `read manifest "v1" of "docker.io/library/busybox"`. */
  readonly action: string;
  readonly capabilities: readonly HostCapability[];
  /** Statuses that answer the question; every 2xx by default. */
  readonly accept?: readonly number[] | undefined;
  /** What a 404 means when the registry doesn't say. */
  readonly missing?: ClientErrorCode | undefined;
  /** Ask only these, instead of all that are configured. */
  readonly hosts?: readonly RegistryHost[] | undefined;
  /** Whether asking twice is as good as once; true for all but POST and PATCH. */
  readonly repeatable?: boolean | undefined;
}

export interface Answer {
  readonly response: HttpResponse;
  readonly host: RegistryHost;
}

export interface ExchangeOptions {
  readonly dispatcher: Dispatcher;
  readonly hosts: HostResolver;
  readonly policy: RetryPolicy;
  readonly sleep: Sleep;
  readonly clock: () => number;
  readonly onEvent: ClientEventListener;
}

export class Exchange {
  readonly #options: ExchangeOptions;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** The configured hosts that may be asked for this. */
  async hostsFor(
    domain: string,
    capabilities: readonly HostCapability[],
    signal?: AbortSignal,
  ): Promise<readonly RegistryHost[]> {
    const hosts = await this.#options.hosts.hosts(domain, { signal });
    const able = hosts.filter((host) => hasCapability(host.capabilities, capabilities));
    if (able.length > 0) return able;
    throw new ClientError(
      "HOSTS_INVALID",
      `Cannot ask "${domain}": none of its configured hosts has ${capabilities.join(" and ")} among its capabilities`,
    );
  }

  /**
   * Asks, and hands the answer to `read`, whose failure counts as the answer's.
   *
   * @throws ClientError
   */
  async ask<T>(call: Call, read: (answer: Answer) => Promise<T>): Promise<T> {
    const { policy, sleep, onEvent } = this.#options;
    let hosts = call.hosts ?? (await this.hostsFor(call.domain, call.capabilities, call.signal));
    let worst: ClientError | undefined;
    for (let attempt = 1; ; attempt++) {
      const again: RegistryHost[] = [];
      let pause: number | undefined;
      for (const [index, host] of hosts.entries()) {
        const outcome = await this.#askOne(call, host, read);
        if ("value" in outcome) return outcome.value;
        const { error } = outcome;
        worst = worst === undefined || weight(error) > weight(worst) || hosts.length === 1 ? error : worst;
        const tooLate = (error.retryAfter ?? 0) > policy.maxRetryAfter;
        if (isTransient(error) && isRepeatable(call) && !tooLate) {
          again.push(host);
          const asked = error.retryAfter ?? policy.delayAfter(attempt);
          pause = Math.min(pause ?? asked, asked);
        }
        if (index + 1 < hosts.length) onEvent({ type: "next-host", host: host.host, reason: error.message });
      }
      if (worst === undefined || pause === undefined)
        throw worst ?? new ClientError("HOSTS_INVALID", `Cannot ${call.action}: no host to ask`);
      if (attempt >= policy.attempts) throw worst;
      onEvent({ type: "retry", reason: worst.message, attempt, delay: pause });
      await sleep(pause, call.signal);
      hosts = again;
    }
  }

  async #askOne<T>(
    call: Call,
    host: RegistryHost,
    read: (answer: Answer) => Promise<T>,
  ): Promise<{ readonly value: T } | { readonly error: ClientError }> {
    const { dispatcher, clock } = this.#options;
    try {
      call.signal?.throwIfAborted();
      const response = await dispatcher.dispatch(host, call);
      if (isAccepted(call, response.status)) return { value: await readOrDiscard({ response, host }, read) };
      const { method, action, missing = "NAME_UNKNOWN" } = call;
      return { error: await answerError(response, { method, action, missing, now: clock() }) };
    } catch (error) {
      call.signal?.throwIfAborted();
      if (error instanceof ClientError) return { error: inWords(call, error) };
      throw error;
    }
  }
}

/** An answer that wasn't believed must not keep its connection waiting for a reader. */
async function readOrDiscard<T>(answer: Answer, read: (answer: Answer) => Promise<T>): Promise<T> {
  try {
    return await read(answer);
  } catch (error) {
    await answer.response.discard();
    throw error;
  }
}

function isAccepted(call: Call, status: number): boolean {
  return call.accept === undefined ? status >= 200 && status < 300 : call.accept.includes(status);
}

function isRepeatable(call: Call): boolean {
  return call.repeatable ?? (call.method !== "POST" && call.method !== "PATCH");
}

/** Failures below HTTP don't know what they were for. */
function inWords(call: Call, error: ClientError): ClientError {
  const start = `Cannot ${call.action}: `;
  if (error.message.startsWith(start) || error.status !== undefined) return error;
  const { code, status, registryErrors, retryAfter } = error;
  const rest = error.message.startsWith("Cannot ") ? `c${error.message.slice(1)}` : error.message;
  return new ClientError(code, start + rest, {
    cause: error.cause ?? error,
    status,
    registryErrors,
    retryAfter,
  });
}

/** How much a failure tells somebody who asked several hosts: too large > refused > not there > not reached. */
function weight(error: ClientError): number {
  if (error.code === "SIZE_INVALID" && error.status === undefined) return 4;
  if (error.status === undefined || error.status === 401) return 1;
  return error.status === 404 ? 2 : 3;
}
