/** A server of its own for each test, in a folder that goes with it, at a time that stands still. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { JsonObject } from "../kubernetes/index.ts";
import type { ApiUser } from "./auth/user.ts";
import type { ApiClock } from "./clock.ts";
import type { ApiServer } from "./running-server.ts";
import { type ApiServerOptions, openApiServer } from "./server.ts";

export interface TestAnswer {
  readonly code: number;
  readonly headers: Headers;
  /** Of JSON; empty for anything else. */
  readonly body: AnyObject;
  readonly text: string;
}

/** Answers are looked into at will. */
export type AnyObject = JsonObject & {
  readonly kind?: string;
  readonly metadata: JsonObject & {
    readonly name?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly continue?: string;
  };
  readonly items?: readonly AnyObject[];
  readonly spec?: JsonObject;
  readonly status?: string & JsonObject;
  readonly message?: string;
  readonly reason?: string;
  readonly details?: JsonObject;
};

export interface TestCall {
  readonly body?: unknown;
  /** `application/json` by default. */
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly user?: ApiUser;
  readonly signal?: AbortSignal;
}

export interface TestApi extends AsyncDisposable {
  readonly clock: StillClock;
  readonly failures: unknown[];
  readonly folder: string;
  /** The one that is open now. */
  readonly server: ApiServer;
  /** As the administrator, unless somebody else is named. */
  call(method: string, path: string, call?: TestCall): Promise<TestAnswer>;
  send(method: string, path: string, call?: TestCall): Promise<Response>;
  restart(): Promise<void>;
}

/** Stands still until it is told otherwise; who waits is woken by that. */
export class StillClock implements ApiClock {
  #now = Date.parse("2026-01-02T03:04:05.600Z");
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();

  now(): number {
    return this.#now;
  }

  wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason as Error);
      };
      const wake = (): void => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const sleeper = { until: this.#now + milliseconds, wake };
      if (signal?.aborted === true) return onAbort();
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Only those who are waiting already notice. */
  advance(milliseconds: number): void {
    this.#now += milliseconds;
    for (const sleeper of this.#sleepers) {
      if (sleeper.until > this.#now) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}

export async function openTestApi(options: Partial<ApiServerOptions> = {}): Promise<TestApi> {
  const folder = await mkdtemp(join(tmpdir(), "dray-api-"));
  const clock = new StillClock();
  const failures: unknown[] = [];
  const onFailure = (error: unknown): void => void failures.push(error);
  const open = (): Promise<ApiServer> => openApiServer({ folder, clock, onFailure, ...options });
  let server = await open();
  const send: TestApi["send"] = (method, path, call = {}) => {
    const { body, type = "application/json", accept, headers, user, signal } = call;
    const sent = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
    const request = new Request(`https://api.test${path}`, {
      method,
      headers: {
        ...(body !== undefined && { "content-type": type }),
        ...(accept !== undefined && { accept }),
        ...headers,
      },
      ...(body !== undefined && { body: sent as string }),
      ...(signal && { signal }),
    });
    return server.transport(user)(request);
  };
  return {
    clock,
    failures,
    folder,
    get server() {
      return server;
    },
    send,
    call: async (method, path, call) => readAnswer(await send(method, path, call)),
    restart: async () => {
      await server.close();
      server = await open();
    },
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function readAnswer(response: Response): Promise<TestAnswer> {
  const text = await response.text();
  const json = response.headers.get("content-type")?.startsWith("application/json") === true;
  const body = (json ? JSON.parse(text) : { metadata: {} }) as AnyObject;
  return { code: response.status, headers: response.headers, body, text };
}

export function pod(
  name: string,
  more: { readonly metadata?: JsonObject; readonly spec?: JsonObject } = {},
): JsonObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, ...more.metadata },
    spec: { containers: [{ name: "c", image: "app:v1" }], ...more.spec },
  };
}

export function configMap(name: string, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata }, data: { a: "b" } };
}

export interface TestEvent {
  readonly type: string;
  readonly object: AnyObject;
}

/** The events of a watch, one at a time; `undefined` when it ended. */
export class TestWatch {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = "";

  constructor(response: Response) {
    if (response.body === null) throw new Error("no body to watch");
    this.#reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  }

  async next(): Promise<TestEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end !== -1) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return JSON.parse(line) as TestEvent;
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += Buffer.from(value).toString("utf8");
    }
  }

  async take(count: number): Promise<readonly string[]> {
    const outlines: string[] = [];
    while (outlines.length < count) {
      const event = await this.next();
      if (event === undefined) break;
      outlines.push(`${event.type} ${event.object.metadata.name ?? ""}`.trim());
    }
    return outlines;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}
