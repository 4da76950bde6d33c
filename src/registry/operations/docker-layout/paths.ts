/**
 * How docker-registry, 2.x and 3.x, keeps content in a folder:
 *
 * ```text
 * docker/registry/v2/
 *   blobs/sha256/ab/abcd…/data                                  bytes, of blobs and manifests alike
 *   repositories/<name>/_layers/sha256/<hex>/link               a blob that the repository shows
 *   repositories/<name>/_manifests/revisions/sha256/<hex>/link  a manifest
 *   repositories/<name>/_manifests/tags/<tag>/current/link      what a tag stands for
 *   repositories/<name>/_manifests/tags/<tag>/index/sha256/<hex>/link    what it ever stood for
 * ```
 *
 * Each `link` holds a digest as text.
 */
import { join } from "node:path";

import type { Digest } from "../../../oci/index.ts";

export const ROOT = "docker/registry/v2";

export function blobPath(root: string, digest: Digest): string {
  const [algorithm, hex] = split(digest);
  return join(root, "blobs", algorithm, hex.slice(0, 2), hex, "data");
}

export function layerLink(root: string, repository: string, digest: Digest): string {
  return join(root, "repositories", repository, "_layers", ...split(digest), "link");
}

export function revisionLink(root: string, repository: string, digest: Digest): string {
  return join(root, "repositories", repository, "_manifests", "revisions", ...split(digest), "link");
}

/** What the tag stands for, and that it once did. */
export function tagLinks(
  root: string,
  repository: string,
  { name, digest }: { readonly name: string; readonly digest: Digest },
): readonly string[] {
  const tag = join(root, "repositories", repository, "_manifests", "tags", name);
  return [join(tag, "index", ...split(digest), "link"), join(tag, "current", "link")];
}

function split(digest: Digest): [algorithm: string, hex: string] {
  const colon = digest.indexOf(":");
  return [digest.slice(0, colon), digest.slice(colon + 1)];
}
