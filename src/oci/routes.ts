/**
 * The paths of the distribution protocol, written by the client and matched by the server.
 *
 * ```text
 * base       /v2/                                uploads    /v2/<name>/blobs/uploads/
 * catalog    /v2/_catalog                        upload     /v2/<name>/blobs/uploads/<id>
 * manifest   /v2/<name>/manifests/<reference>    tags       /v2/<name>/tags/list
 * blob       /v2/<name>/blobs/<digest>           referrers  /v2/<name>/referrers/<digest>
 * ```
 *
 * A name may contain slashes and look like any of these words (`a/blobs`, `tags/list`), so a path is read from its
 * right end.
 */
import { type Digest } from "./digest.ts";

export interface Routes {
  base(): string;
  catalog(): string;
  manifest(name: string, reference: string): string;
  blob(name: string, digest: Digest): string;
  uploads(name: string): string;
  upload(name: string, id: string): string;
  tags(name: string): string;
  referrers(name: string, digest: Digest): string;
}

/** Names, tags and digests need no escaping: whoever calls has checked them. */
export const routes: Routes = {
  base: () => "/v2/",
  catalog: () => "/v2/_catalog",
  manifest: (name, reference) => `/v2/${name}/manifests/${reference}`,
  blob: (name, digest) => `/v2/${name}/blobs/${digest}`,
  uploads: (name) => `/v2/${name}/blobs/uploads/`,
  upload: (name, id) => `/v2/${name}/blobs/uploads/${id}`,
  tags: (name) => `/v2/${name}/tags/list`,
  referrers: (name, digest) => `/v2/${name}/referrers/${digest}`,
};

/** Which route a path is, with its parts as they stand there: neither names nor references are checked yet. */
export type RouteMatch =
  | { readonly route: "base" }
  | { readonly route: "catalog" }
  | { readonly route: "manifest"; readonly name: string; readonly reference: string }
  | { readonly route: "blob"; readonly name: string; readonly digest: string }
  | { readonly route: "uploads"; readonly name: string }
  | { readonly route: "upload"; readonly name: string; readonly id: string }
  | { readonly route: "tags"; readonly name: string }
  | { readonly route: "referrers"; readonly name: string; readonly digest: string };

export type RouteName = RouteMatch["route"];

const PREFIX = "/v2/";
const BASE: RouteMatch = { route: "base" };
const CATALOG: RouteMatch = { route: "catalog" };

/**
 * Finds the route of a path without query, percent escapes as they came: no part of any route ever needs one.
 * Check what it finds with {@link isRepositoryName}, {@link isTag} and `parseDigest` before use.
 */
export function matchRoute(path: string): RouteMatch | undefined {
  if (!path.startsWith(PREFIX)) return path === "/v2" ? BASE : undefined;
  if (path.length === PREFIX.length) return BASE;
  if (path === "/v2/_catalog" || path === "/v2/_catalog/") return CATALOG;
  const slash = path.lastIndexOf("/");
  const last = path.slice(slash + 1);
  const before = path.lastIndexOf("/", slash - 1);
  if (before < PREFIX.length - 1) return undefined;
  const word = path.slice(before + 1, slash);
  switch (word) {
    case "manifests":
      return last === ""
        ? undefined
        : named(path, before, (name) => ({ route: "manifest", name, reference: last }));
    case "referrers":
      return last === ""
        ? undefined
        : named(path, before, (name) => ({ route: "referrers", name, digest: last }));
    case "tags":
      return last === "list" ? named(path, before, (name) => ({ route: "tags", name })) : undefined;
    case "blobs":
      if (last === "") return undefined;
      return named(path, before, (name) =>
        last === "uploads" ? { route: "uploads", name } : { route: "blob", name, digest: last },
      );
    case "uploads":
      return path.endsWith("/blobs", before)
        ? named(path, before - "/blobs".length, (name) =>
            last === "" ? { route: "uploads", name } : { route: "upload", name, id: last },
          )
        : undefined;
    default:
      return undefined;
  }
}

function named(path: string, end: number, match: (name: string) => RouteMatch): RouteMatch | undefined {
  return end > PREFIX.length ? match(path.slice(PREFIX.length, end)) : undefined;
}
