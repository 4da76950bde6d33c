import { type HttpServer, openHttpServer } from "../../internal/http-server.ts";
import type { MetricsSettings } from "../../registry/index.ts";
import { CliError } from "../errors.ts";
import { findHealthPage, type NotReady } from "./health.ts";

/**
 * Serves metrics and what probes ask for where the registry itself doesn't listen.
 *
 * @throws CliError `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`
 */
export async function serveRegistryMetrics(
  { address, port, path: metricsPath }: MetricsSettings,
  pages: { readonly metrics: () => string; readonly notReady: NotReady },
): Promise<HttpServer> {
  try {
    return await openHttpServer(
      (request, response) => {
        const path = request.url?.split("?", 1)[0] ?? "";
        const known = request.method === "GET" || request.method === "HEAD";
        const page =
          path === metricsPath
            ? { status: 200, body: pages.metrics(), type: "text/plain; version=0.0.4; charset=utf-8" }
            : findHealthPage(path, pages.notReady);
        const { status, body } = known ? (page ?? { status: 404, body: "" }) : { status: 405, body: "" };
        const type = page !== undefined && "type" in page ? page.type : "text/plain; charset=utf-8";
        response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
        response.end(body);
      },
      { host: address, port },
    );
  } catch (cause) {
    const inUse = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
    const message = `Cannot serve metrics on "${address}:${port}": ${
      inUse
        ? "something else listens on that port"
        : "this machine has no such address, or keeps it for others"
    }`;
    throw new CliError(inUse ? "ADDRESS_IN_USE" : "ADDRESS_UNAVAILABLE", message, { cause });
  }
}
