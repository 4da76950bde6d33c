import { isRepositoryName, type RouteMatch } from "../oci/index.ts";
import { pullFrom, type Access } from "./access.ts";

/** No part of a route needs an escape, but some clients write the digest's colon as one. */
export function decodePath(path: string): string {
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** What may be done at a route. */
export function methodsOf(match: RouteMatch, options: { readonly deletable: boolean }): readonly string[] {
  const removal = options.deletable ? ["DELETE"] : [];
  switch (match.route) {
    case "base":
    case "catalog":
    case "tags":
    case "referrers":
      return ["GET", "HEAD"];
    case "blob":
      return ["GET", "HEAD", ...removal];
    case "manifest":
      return ["GET", "HEAD", "PUT", ...removal];
    case "uploads":
      return ["POST"];
    case "upload":
      return ["GET", "HEAD", "PATCH", "PUT", "DELETE"];
  }
}

/** What a request has to be allowed to do. */
export function accessFor(match: RouteMatch, method: string): readonly Access[] {
  if (match.route === "base") return [];
  if (match.route === "catalog") return [{ type: "registry", name: "catalog", actions: ["*"] }];
  if (method === "GET" || method === "HEAD") return [pullFrom(match.name)];
  // Giving up an upload undoes what a push began; only visible content takes the right to delete.
  if (method !== "DELETE" || match.route === "upload") return [pushTo(match.name)];
  return [{ type: "repository", name: match.name, actions: ["delete"] }];
}

/**
 * What a client that has to log in should ask for at once: clients repeat a request once with what its challenge
 * named, and a mount does well with its source, too.
 */
export function wishFor(
  match: RouteMatch,
  query: URLSearchParams,
  wanted: readonly Access[],
): readonly Access[] {
  const from = match.route === "uploads" && query.has("mount") ? query.get("from") : null;
  const isOther = from !== null && isRepositoryName(from) && wanted.every(({ name }) => name !== from);
  return isOther ? [...wanted, pullFrom(from)] : wanted;
}

export function pushTo(name: string): Access {
  return { type: "repository", name, actions: ["pull", "push"] };
}
