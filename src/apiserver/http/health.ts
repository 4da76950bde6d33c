import { respondText } from "./respond.ts";

/** Why a check fails, by its name; empty where it passes. */
export type HealthChecks = Readonly<Record<string, string>>;

const PATHS = /^\/(healthz|livez|readyz)(?:\/([^/]+))?\/?$/;

/** `/healthz`, `/livez`, `/readyz`, and each of their checks by name; `undefined` for another path. */
export function answerHealth(url: URL, health: () => HealthChecks): Response | undefined {
  const [, path, single] = PATHS.exec(url.pathname) ?? [];
  if (path === undefined) return undefined;
  const excluded = url.searchParams.getAll("exclude");
  const checks = Object.entries({ ping: "", ...health() }).filter(([name]) => !excluded.includes(name));
  if (single !== undefined) {
    const found = checks.find(([name]) => name === single);
    if (found === undefined) return respondText(404, "404 page not found\n");
    return found[1] === ""
      ? respondText(200, "ok")
      : respondText(500, `internal server error: ${found[1]}\n`);
  }
  const failed = checks.filter(([, why]) => why !== "");
  if (failed.length === 0 && !url.searchParams.has("verbose")) return respondText(200, "ok");
  const lines = checks.map(([name, why]) => (why === "" ? `[+]${name} ok` : `[-]${name} failed: ${why}`));
  const end = failed.length === 0 ? `${path} check passed` : `${path} check failed`;
  return respondText(failed.length === 0 ? 200 : 500, `${[...lines, end].join("\n")}\n`);
}
