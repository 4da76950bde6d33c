/** Mirrors listed in the CRI plugin's own configuration: the form before `hosts.toml`, used only without a configuration root. */
import { criDefaultScheme, defaultHost } from "./default-host.ts";

/** Endpoints by registry host; `*` stands for hosts without their own list. */
export type CriMirrors = Readonly<Record<string, readonly string[]>>;

/** What is listed for a registry. */
export function mirrorsFor(mirrors: CriMirrors, domain: string): readonly string[] {
  return (Object.hasOwn(mirrors, domain) ? mirrors[domain] : mirrors["*"]) ?? [];
}

/** The endpoints for a registry in the order to try, its own last unless one listed already has its host. */
export function criMirrorEndpoints(mirrors: CriMirrors, domain: string): readonly string[] {
  const endpoints = mirrorsFor(mirrors, domain).map((endpoint) =>
    endpoint.includes("://") ? endpoint : `${criDefaultScheme(hostOf(endpoint))}://${endpoint}`,
  );
  const { host } = defaultHost(domain);
  if (endpoints.some((endpoint) => hostOf(endpoint) === host)) return endpoints;
  return [...endpoints, `${criDefaultScheme(host)}://${host}`];
}

function hostOf(endpoint: string): string {
  const rest = endpoint.replace(/^[^/]*:\/\//, "");
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? "";
  return authority.slice(authority.lastIndexOf("@") + 1);
}
