/**
 * Changes of a resource, from a version on, for as long as it takes.
 *
 * ```text
 * connect ─▶ ADDED MODIFIED DELETED BOOKMARK … ─▶ the server ends it, the network cuts it, or nothing comes any more
 *    ▲                                                  │
 *    └──── from the version of the last event ◀─────────┘   at once after a good while, else with back-off
 * 410: the server has forgotten that version; the watch ends with a StatusError, and the list must be read anew
 * ```
 */
import type { KubernetesObject } from "../objects/object.ts";
import type { Status } from "../objects/status.ts";
import { StatusError } from "../objects/status.ts";
import { WatchBackOff } from "./back-off.ts";
import { KubernetesClientError } from "./errors.ts";
import { linkSignal } from "./link-signal.ts";
import { pathOf } from "./paths.ts";
import { isExpired } from "./refusal.ts";
import type { ResourceClient } from "./resource-client.ts";
import { readLines } from "./watch-lines.ts";

export interface WatchEvent<T extends KubernetesObject = KubernetesObject> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  /** Of a bookmark nothing but kind and resourceVersion. */
  readonly object: T;
}

export interface WatchOptions {
  /** The client's own by default; the empty text is all namespaces. */
  readonly namespace?: string | undefined;
  /** Changes after this are told; a list says which it has. */
  readonly resourceVersion: string;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Milliseconds without a word, not even a bookmark, after which a connection counts as dead; 4 minutes by default. */
  readonly idleTimeout?: number | undefined;
  /** Told why a connection ended early; the watch goes on. */
  readonly onInterrupt?: ((error: unknown) => void) | undefined;
  readonly signal: AbortSignal;
}

/** The server is asked to end a watch after 5 to 10 minutes, so that watchers spread over several servers. */
const SHORTEST_S = 300;
const IDLE_MS = 240_000;
/** A connection that ended sooner and led nowhere was no good. */
const BRIEF_MS = 1000;

/** Refusals that another try won't change. */
const FINAL: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 406, 410, 422]);

interface Line {
  readonly type: string;
  readonly object: KubernetesObject | Status;
}

/** Ends only by its signal, whose reason it throws, or by a refusal that is final. */
export async function* watchResource<T extends KubernetesObject>(
  from: ResourceClient<T>,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<T>, never, undefined> {
  const { clock, random } = from.client;
  const backOff = new WatchBackOff(() => clock.now(), random);
  let { resourceVersion } = options;
  for (;;) {
    const begun = clock.now();
    const before = resourceVersion;
    let asked = 0;
    try {
      for await (const event of watchOnce(from, { ...options, resourceVersion })) {
        resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
        yield event;
      }
      if (resourceVersion !== before || clock.now() - begun >= BRIEF_MS) continue;
    } catch (error) {
      options.signal.throwIfAborted();
      if (isExpired(error) || (error instanceof StatusError && FINAL.has(error.status.code ?? 0)))
        throw error;
      options.onInterrupt?.(error);
      if (error instanceof StatusError) asked = (error.status.details?.retryAfterSeconds ?? 0) * 1000;
    }
    await clock.wait(Math.max(asked, backOff.next()), options.signal);
  }
}

/** One connection, until it ends. */
async function* watchOnce<T extends KubernetesObject>(
  from: ResourceClient<T>,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const { client, resource } = from;
  const idle = watchIdle(client.clock, options.idleTimeout ?? IDLE_MS, options.signal);
  try {
    const response = await client.open({
      method: "GET",
      path: pathOf(resource, { namespace: options.namespace ?? client.namespace }),
      query: {
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: options.resourceVersion,
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
        timeoutSeconds: Math.round(SHORTEST_S * (1 + client.random())),
      },
      once: true,
      signal: idle.signal,
    });
    if (response.body === null) return;
    for await (const line of readLines(response.body, () => idle.touch())) yield readEvent<T>(line);
  } finally {
    idle.stop();
  }
}

function readEvent<T extends KubernetesObject>(text: string): WatchEvent<T> {
  let line: Line;
  try {
    line = JSON.parse(text) as Line;
  } catch (cause) {
    throw new KubernetesClientError("RESPONSE_INVALID", "Cannot read a watch: an event is not JSON", {
      cause,
    });
  }
  switch (line.type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
    case "BOOKMARK":
      return { type: line.type, object: line.object as T };
    case "ERROR":
      throw new StatusError(line.object as Status);
    default: {
      const message = `Cannot read a watch: no event is called ${JSON.stringify(line.type)}`;
      throw new KubernetesClientError("RESPONSE_INVALID", message);
    }
  }
}

interface Idle {
  readonly signal: AbortSignal;
  /** Something came. */
  touch(): void;
  stop(): void;
}

/** Cuts what follows its signal once nothing was heard for `timeout` milliseconds. */
function watchIdle(
  clock: { now(): number; wait(milliseconds: number, signal?: AbortSignal): Promise<void> },
  timeout: number,
  outer: AbortSignal,
): Idle {
  const link = linkSignal(outer);
  const over = new AbortController();
  let heard = clock.now();
  const guard = async (): Promise<void> => {
    for (;;) {
      const left = heard + timeout - clock.now();
      if (left <= 0) break;
      await clock.wait(left, over.signal);
    }
    const text = `Cannot go on watching: nothing came for ${Math.round(timeout / 1000)} s`;
    link.abort(new KubernetesClientError("NETWORK_TIMEOUT", text));
  };
  guard().catch(() => {});
  return {
    signal: link.signal,
    touch: () => {
      heard = clock.now();
    },
    stop: () => {
      over.abort();
      link.abort(new KubernetesClientError("NETWORK_RESET", "Cannot go on watching: stopped"));
      link.release();
    },
  };
}
