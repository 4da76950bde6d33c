import type { AccessControl, RegistryRequest, RegistryResponse } from "../../registry/index.ts";

/** Why requests shouldn't come here just now; `undefined` when they may. */
export type NotReady = () => string | undefined;

export interface HealthPage {
  readonly status: number;
  readonly body: string;
}

/**
 * What probes ask for: `/livez` whether there is somebody, `/readyz` and `/healthz` whether requests are welcome.
 */
export function findHealthPage(path: string, notReady: NotReady): HealthPage | undefined {
  switch (path) {
    case "/livez":
      return { status: 200, body: "ok\n" };
    case "/readyz":
    case "/healthz": {
      const why = notReady();
      return why === undefined ? { status: 200, body: "ok\n" } : { status: 503, body: `${why}\n` };
    }
    default:
      return undefined;
  }
}

/** Access control that answers probes, too: they ask where the registry itself listens. */
export function withHealth(access: AccessControl, notReady: NotReady): AccessControl {
  return {
    authorize: (request, wanted) => access.authorize(request, wanted),
    viewFor: (request) => access.viewFor(request),
    serve: (request) => answerProbe(request, notReady) ?? access.serve?.(request),
    lockedOut: () => access.lockedOut?.() ?? [],
    [Symbol.asyncDispose]: () => access[Symbol.asyncDispose](),
  };
}

function answerProbe(request: RegistryRequest, notReady: NotReady): Promise<RegistryResponse> | undefined {
  if (request.method !== "GET" && request.method !== "HEAD") return undefined;
  const page = findHealthPage(request.target.split("?", 1)[0] ?? "", notReady);
  if (page === undefined) return undefined;
  const body = Buffer.from(page.body);
  const headers = ["Content-Type", "text/plain; charset=utf-8", "Content-Length", String(body.length)];
  return Promise.resolve({ status: page.status, headers: [...headers, "Cache-Control", "no-store"], body });
}
