/** Requests of `node:http` as the platform's `Request`, and its `Response` back. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

import { badRequest } from "../../kubernetes/index.ts";
import { respondError } from "./respond.ts";
import { climbs } from "./route.ts";

/** Of a body nobody wants, so much is read before the connection is closed, and for so long after its last piece. */
const MAX_LINGER = 8 * 1024 * 1024;
const LINGER_TIME = 2_000;
/** Between warnings that were joined; a quote within one has a backslash before it. */
const WARNINGS = /, (?=299 - ")/;

export interface ListenerOptions {
  readonly fetch: (request: Request) => Promise<Response>;
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

export function toListener(options: ListenerOptions): RequestListener {
  return (incoming, outgoing) => {
    exchange(options, incoming, outgoing).catch((error: unknown) => {
      outgoing.destroy();
      if (!incoming.destroyed) options.onFailure?.(error);
    });
  };
}

async function exchange(
  { fetch }: ListenerOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  outgoing.once("close", () => gone.abort(new Error("the client went away")));
  const target = incoming.url ?? "/";
  if (climbs(target))
    return await send(
      respondError(badRequest("the path holds segments that lead elsewhere")),
      it(incoming, outgoing),
    );
  let request: Request;
  try {
    request = toRequest(incoming, outgoing, { target, signal: gone.signal });
  } catch {
    // A method or a header that no Request can have.
    return await send(respondError(badRequest("the request cannot be understood")), it(incoming, outgoing));
  }
  await send(await fetch(request), it(incoming, outgoing));
}

function toRequest(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { target, signal }: { readonly target: string; readonly signal: AbortSignal },
): Request {
  const method = incoming.method ?? "GET";
  const headers = new Headers();
  const raw = incoming.rawHeaders;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? "";
    if (!name.startsWith(":")) headers.append(name, raw[at + 1] ?? "");
  }
  const path = target.startsWith("/") ? target : new URL(target).pathname;
  const url = new URL(`https://${incoming.headers.host ?? "localhost"}${path}`);
  const hasBody = method !== "GET" && method !== "HEAD" && !isEmpty(incoming);
  if (!hasBody) return new Request(url, { method, headers, signal });
  if (incoming.headers.expect?.toLowerCase() === "100-continue") outgoing.writeContinue();
  return new Request(url, { method, headers, signal, body: bodyOf(incoming), duplex: "half" } as RequestInit);
}

/** The bytes as they are wanted. Who wants no more of them leaves the connection as it is, for the answer. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let open = true;
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      const fail = (error: unknown): void => {
        if (open) controller.error(error);
        open = false;
      };
      incoming.on("data", (chunk: Uint8Array) => {
        if (!open) return;
        controller.enqueue(new Uint8Array(chunk));
        if ((controller.desiredSize ?? 0) <= 0) incoming.pause();
      });
      incoming.once("end", () => {
        if (open) controller.close();
        open = false;
      });
      incoming.once("error", fail);
      incoming.once("close", () => fail(new Error("the client went away")));
      incoming.pause();
    },
    pull: () => void incoming.resume(),
    cancel: () => {
      open = false;
      incoming.resume();
    },
  });
}

function isEmpty(incoming: IncomingMessage): boolean {
  return (
    incoming.headers["transfer-encoding"] === undefined &&
    Number(incoming.headers["content-length"] ?? 0) === 0
  );
}

interface Ends {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

function it(incoming: IncomingMessage, outgoing: ServerResponse): Ends {
  return { incoming, outgoing };
}

async function send(response: Response, { incoming, outgoing }: Ends): Promise<void> {
  const headers: string[] = [];
  response.headers.forEach((value, name) => {
    for (const line of name === "warning" ? value.split(WARNINGS) : [value]) headers.push(name, line);
  });
  const unread = !incoming.complete && !isEmpty(incoming);
  // The rest of the body isn't worth reading for the sake of another request.
  if (unread) headers.push("Connection", "close");
  outgoing.writeHead(response.status, headers);
  if (response.body !== null) await pump(response.body, outgoing);
  if (unread) await linger(incoming);
  outgoing.end();
}

async function pump(body: ReadableStream<Uint8Array>, outgoing: ServerResponse): Promise<void> {
  // A watch may be silent for long: its reader shall know that it began, and nobody shall take it for dead.
  outgoing.setTimeout(0);
  setImmediate(() => outgoing.flushHeaders());
  const reader = body.getReader();
  outgoing.once("close", () => void reader.cancel().catch(() => {}));
  for (;;) {
    const { done, value } = await reader.read();
    if (done || outgoing.destroyed) return;
    if (!outgoing.write(value)) await drained(outgoing);
  }
}

/** A watch is written to for as long as it lasts: nothing stays behind of each time its reader was slow. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      outgoing.off("drain", stop).off("close", stop).off("error", stop);
      resolve();
    };
    outgoing.on("drain", stop).on("close", stop).on("error", stop);
  });
}

/** Reads on for a while, so that the answer isn't lost to a reset while its reader still writes. */
function linger(incoming: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let left = MAX_LINGER;
    const stop = (): void => {
      clearTimeout(timer);
      incoming.off("data", count).off("end", stop).off("close", stop);
      resolve();
    };
    const count = (chunk: Uint8Array): void => {
      left -= chunk.length;
      if (left < 0) return stop();
      clearTimeout(timer);
      timer = setTimeout(stop, LINGER_TIME);
    };
    let timer = setTimeout(stop, LINGER_TIME);
    if (incoming.destroyed || incoming.readableEnded) return stop();
    incoming.on("data", count).once("end", stop).once("close", stop).resume();
  });
}
