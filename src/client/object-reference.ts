import type { Digest } from "../oci/index.ts";
import { findDigestFault, isDigest, isTag } from "../oci/index.ts";
import { ClientError } from "./errors.ts";

/** What a repository's manifests are asked for by. With both, the digest decides and the tag is only a name. */
export interface ObjectReference {
  readonly tag?: string;
  readonly digest?: Digest;
}

/**
 * Reads `tag`, `digest` or `tag@digest`.
 *
 * @throws ClientError `MANIFEST_UNKNOWN` for what can be neither, so that nothing odd gets into a path
 */
export function parseObjectReference(text: string): ObjectReference {
  if (isDigest(text)) return { digest: text };
  const at = text.indexOf("@");
  const tag = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if ((tag !== "" || at === 0) && (tag === "" || isTag(tag))) {
    if (digest === undefined) return { tag };
    if (isDigest(digest)) return tag === "" ? { digest } : { tag, digest };
  }
  const why =
    digest !== undefined && findDigestFault(digest) === "unsupported"
      ? "its digest's algorithm is not supported"
      : "neither a tag nor a digest";
  throw new ClientError("MANIFEST_UNKNOWN", `Cannot read reference ${JSON.stringify(text)}: ${why}`);
}
