/** Puts a webhook on a port: reviews by POST, and what probes and Prometheus ask for by GET. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

import type { Webhook, WebhookAnswer } from "../../admission/index.ts";
import { type HttpServer, openHttpServer, type TlsIdentity } from "../../internal/http-server.ts";
import { CliError } from "../errors.ts";

export interface ServeWebhookOptions {
  /** All addresses by default. */
  readonly host?: string | undefined;
  readonly port: number;
  readonly tls: TlsIdentity;
  /** Prometheus' text. */
  readonly metrics: () => string;
  /** Why reviews shouldn't come here just now; undefined when they may. */
  readonly notReady: () => string | undefined;
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** @throws CliError `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE` */
export async function serveWebhook(webhook: Webhook, options: ServeWebhookOptions): Promise<HttpServer> {
  const { host, port, tls, onError } = options;
  const listener = webhookListener(webhook, options);
  let failure: NodeJS.ErrnoException | undefined;
  // A machine without IPv6 has no `::`, which elsewhere stands for both.
  for (const address of host === undefined ? ["::", "0.0.0.0"] : [host]) {
    try {
      return await openHttpServer(listener, { host: address, port, tls, onError });
    } catch (error) {
      failure = error as NodeJS.ErrnoException;
      if (!["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(failure.code ?? "")) break;
    }
  }
  throw listenError(failure, `${host ?? "::"} port ${port}`);
}

function listenError(cause: NodeJS.ErrnoException | undefined, place: string): unknown {
  if (cause?.code === "EADDRINUSE") {
    const message = `Cannot listen on ${place}: somebody else does; choose another with --port`;
    return new CliError("ADDRESS_IN_USE", message, { cause });
  }
  if (!["EAFNOSUPPORT", "EADDRNOTAVAIL", "EACCES", "ENOTFOUND"].includes(cause?.code ?? "")) return cause;
  const message = `Cannot listen on ${place}: this machine has no such address, or keeps it for others`;
  return new CliError("ADDRESS_UNAVAILABLE", message, { cause });
}

export function webhookListener(
  webhook: Webhook,
  pages: Pick<ServeWebhookOptions, "metrics" | "notReady">,
): RequestListener {
  const outbox = new Outbox();
  return (request, response) => {
    const { method = "GET", url = "/" } = request;
    if (method !== "POST") {
      const page = method === "GET" || method === "HEAD" ? findPage(url, pages) : undefined;
      if (page !== undefined) return sendText(response, page);
    }
    answerReview(webhook, { request, response, outbox });
  };
}

/**
 * Answers go out together, when all that has come in is read. Clients are woken by the first of them instead of by
 * each, which takes the system as long as a whole review takes us.
 */
class Outbox {
  #waiting: { readonly response: ServerResponse; readonly answer: WebhookAnswer }[] = [];

  put(response: ServerResponse, answer: WebhookAnswer): void {
    if (this.#waiting.push({ response, answer }) === 1) setImmediate(this.#empty);
  }

  readonly #empty = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { response, answer } of waiting) {
      if (!response.destroyed) sendAnswer(response, answer, false);
    }
  };
}

function answerReview(
  webhook: Webhook,
  exchange: {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly outbox: Outbox;
  },
): void {
  const { request, response, outbox } = exchange;
  const { method = "GET", url: target = "/", headers } = request;
  if (headers.expect?.toLowerCase() === "100-continue") response.writeContinue();
  readBody(request, webhook.bodyLimit, (body) => {
    if (body === undefined) return sendAnswer(response, webhook.tooLarge(), true);
    const asked = { method, target, contentType: headers["content-type"], body };
    const answer = webhook.handle(asked, () => goneSignal(response));
    if (answer instanceof Promise) void answer.then((late) => outbox.put(response, late));
    else outbox.put(response, answer);
  });
}

/** Aborted when the client goes away before it has its answer. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  if (response.destroyed) gone.abort();
  else response.on("close", () => gone.abort());
  return gone.signal;
}

function sendAnswer(
  response: ServerResponse,
  { status, headers, body }: WebhookAnswer,
  close: boolean,
): void {
  const length = Buffer.byteLength(body);
  const head: Record<string, string | number> = { ...headers, "content-length": length };
  // What is left of a body that is too large isn't read.
  if (close) head["connection"] = "close";
  response.writeHead(status, head);
  // TLS takes UTF-8 most slowly. Plain text goes out in one piece with its head, anything else as bytes.
  if (length === body.length) response.end(body, "latin1");
  else response.end(Buffer.from(body));
}

/** Calls back once, with undefined for more than the limit; never when the client goes away before the end. */
function readBody(
  request: IncomingMessage,
  limit: number,
  callback: (body: Uint8Array | undefined) => void,
): void {
  if (Number(request.headers["content-length"] ?? 0) > limit) return callback(undefined);
  const chunks: Buffer[] = [];
  let length = 0;
  request.on("data", (chunk: Buffer) => {
    if (length > limit) return;
    length += chunk.length;
    chunks.push(chunk);
    if (length <= limit) return;
    request.pause();
    callback(undefined);
  });
  request.on("end", () => {
    if (length > limit) return;
    const [only] = chunks;
    callback(chunks.length === 1 ? only : Buffer.concat(chunks));
  });
}

interface Page {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

function findPage(
  url: string,
  { metrics, notReady }: Pick<ServeWebhookOptions, "metrics" | "notReady">,
): Page | undefined {
  switch (url.split("?", 1)[0] ?? "") {
    case "/livez":
    case "/healthz":
      return { status: 200, body: "ok\n" };
    case "/readyz": {
      const why = notReady();
      return why === undefined ? { status: 200, body: "ok\n" } : { status: 503, body: `${why}\n` };
    }
    case "/metrics":
      return { status: 200, body: metrics(), type: "text/plain; version=0.0.4; charset=utf-8" };
    default:
      return undefined;
  }
}

function sendText(response: ServerResponse, { status, body, type }: Page): void {
  response.writeHead(status, {
    "content-type": type ?? "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}
