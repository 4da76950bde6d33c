/**
 * The keys of a credentials file. People and programs have written registries in many ways: `ghcr.io`,
 * `https://ghcr.io/v1/`, `quay.io/team/app`, and for the Hub `https://index.docker.io/v1/`.
 */

/** Docker's key for the Hub. */
export const HUB_KEY = "https://index.docker.io/v1/";

const HUB_HOSTS: ReadonlySet<string> = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

export function isHub(host: string): boolean {
  return HUB_HOSTS.has(host);
}

/** The key under which a registry's credential is written, and which helpers are asked for. */
export function canonicalKey(host: string): string {
  return isHub(host) ? HUB_KEY : host;
}

/** A key without its spelling: scheme and API path gone, host in lower case, one name for the Hub. */
export function normalizeKey(key: string): string {
  const [, scheme, rest = ""] = /^(https?:\/\/)?(.*)$/is.exec(key) ?? [];
  const [host = "", ...path] = rest.replace(/\/(?:v[12]\/)?$/, "").split("/");
  const name = host.toLowerCase();
  // With a scheme the path belongs to the API's address; without one it is a namespace.
  return [isHub(name) ? "docker.io" : name, ...(scheme === undefined ? path : [])].join("/");
}

/** Normalised keys that serve a repository, the most specific first: `host/a/b`, `host/a`, `host`. */
export function keysFor(host: string, repository: string | undefined): readonly string[] {
  const name = normalizeKey(host);
  const parts = repository === undefined || repository === "" ? [] : repository.split("/");
  return [...parts.map((_, index) => [name, ...parts.slice(0, parts.length - index)].join("/")), name];
}
