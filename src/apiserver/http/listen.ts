/** Requests of `node:http` as the platform's `Request`, and its `Response` back. */
import { Readable } from "node:stream";
import { once } from "node:events";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

import { badRequest } from "../../kubernetes/index.ts";
import { respondError } from "./respond.ts";
import { climbs } from "./route.ts";

/** Of a body nobody wants, so much is read to keep the connection. */
const MAX_DISCARD = 64 * 1024;

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
  const url = new URL(`https://localhost${path}`);
  const hasBody = method !== "GET" && method !== "HEAD" && !isEmpty(incoming);
  if (!hasBody) return new Request(url, { method, headers, signal });
  if (incoming.headers.expect?.toLowerCase() === "100-continue") outgoing.writeContinue();
  const body = Readable.toWeb(incoming) as unknown as ReadableStream<Uint8Array>;
  return new Request(url, { method, headers, signal, body, duplex: "half" } as RequestInit);
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
  response.headers.forEach((value, name) => headers.push(name, value));
  // What is left of a large body isn't worth reading; the next request comes on another connection.
  if (
    !incoming.complete &&
    Number(incoming.headers["content-length"] ?? Infinity) > MAX_DISCARD &&
    !isEmpty(incoming)
  ) {
    headers.push("Connection", "close");
  }
  outgoing.writeHead(response.status, headers);
  if (response.body === null) {
    outgoing.end();
    return;
  }
  // A watch may be silent for long: its reader shall know that it began, and nobody shall take it for dead.
  outgoing.setTimeout(0);
  setImmediate(() => outgoing.flushHeaders());
  const reader = response.body.getReader();
  outgoing.once("close", () => void reader.cancel().catch(() => {}));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (outgoing.destroyed) return;
    if (!outgoing.write(value)) await Promise.race([once(outgoing, "drain"), once(outgoing, "close")]);
  }
  outgoing.end();
}
