import { once } from "node:events";
import type { ServerResponse } from "node:http";

import { type HttpServer, openHttpServer } from "../../internal/http-server.ts";

export interface MetricsPages {
  /** Prometheus' text. */
  readonly metrics: () => string;
  /** How every pull is now, then each step, until the signal is aborted. */
  readonly progress: (signal: AbortSignal) => AsyncIterable<unknown>;
}

/** Serves `/metrics`, `/progress` as a JSON text on each line, and `/healthz`. */
export async function serveMetrics(
  pages: MetricsPages,
  options: { readonly host: string; readonly port: number; readonly signal: AbortSignal },
): Promise<HttpServer> {
  return await openHttpServer((request, response) => {
    const path = request.url?.split("?", 1)[0] ?? "";
    if (request.method !== "GET" && request.method !== "HEAD") {
      end(response, { status: 405, body: "" });
    } else if (path === "/metrics") {
      end(response, { status: 200, body: pages.metrics(), type: "text/plain; version=0.0.4; charset=utf-8" });
    } else if (path === "/healthz") {
      end(response, { status: 200, body: "ok\n" });
    } else if (path === "/progress" && request.method === "GET") {
      void stream(response, pages, options.signal);
    } else {
      end(response, { status: 404, body: "" });
    }
  }, options);
}

function end(
  response: ServerResponse,
  answer: { readonly status: number; readonly body: string; readonly type?: string },
): void {
  const { status, body, type = "text/plain; charset=utf-8" } = answer;
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  // Of an answer to HEAD, Node sends no body.
  response.end(body);
}

/** As fast as the reader takes it; who is slow gets the latest of each pull, and misses steps in between. */
async function stream(response: ServerResponse, pages: MetricsPages, ending: AbortSignal): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const signal = AbortSignal.any([ending, gone.signal]);
  response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
  response.flushHeaders();
  try {
    for await (const report of pages.progress(signal)) {
      if (response.write(`${JSON.stringify(report)}\n`)) continue;
      // Throws at once where the reader has gone before.
      await once(response, "drain", { signal });
    }
  } catch (error) {
    if (!signal.aborted) response.destroy(error instanceof Error ? error : undefined);
  }
  response.end();
}
