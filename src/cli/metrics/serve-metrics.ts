import { type HttpServer, openHttpServer } from "../../internal/http-server.ts";

/** Serves `/metrics` and `/healthz` on this machine alone. */
export async function serveMetrics(
  render: () => string,
  options: { readonly host: string; readonly port: number },
): Promise<HttpServer> {
  return await openHttpServer((request, response) => {
    const path = request.url?.split("?", 1)[0];
    const isRead = request.method === "GET" || request.method === "HEAD";
    const known = path === "/metrics" || path === "/healthz";
    const status = !known ? 404 : isRead ? 200 : 405;
    const body = status !== 200 ? "" : path === "/metrics" ? render() : "ok\n";
    const type =
      path === "/metrics" ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain; charset=utf-8";
    response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
    response.end(request.method === "HEAD" ? undefined : body);
  }, options);
}
