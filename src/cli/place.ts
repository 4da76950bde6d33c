/**
 * Where an image is, as the command line says it:
 *
 * ```text
 * [docker://]NAME              in a registry: busybox, ghcr.io/a/b:1, localhost:5000/c@sha256:…
 * store:NAME                   in the node's store
 * oci:DIR[:REF]                in an OCI image layout folder
 * oci-archive:FILE[:REF]       in a tar of one
 * docker-archive:FILE[:REF]    in a tar as docker save writes it
 * ```
 *
 * As in skopeo, the first colon ends a path. An image that is really called `oci` or `store` takes `docker://`.
 */
import { type Reference, parseDockerRef } from "../reference/index.ts";
import { UsageError } from "./errors.ts";

export type Place =
  | { readonly kind: "docker"; readonly reference: Reference }
  | { readonly kind: "store"; readonly reference: Reference }
  | { readonly kind: FilePlaceKind; readonly path: string; readonly name: string | undefined };

export type FilePlaceKind = "oci" | "oci-archive" | "docker-archive";

const FILE_KINDS: readonly FilePlaceKind[] = ["oci", "oci-archive", "docker-archive"];

/**
 * Reads an image argument.
 *
 * @throws UsageError, InvalidReferenceError
 */
export function parsePlace(text: string): Place {
  if (text.startsWith("docker://")) return { kind: "docker", reference: parseDockerRef(text.slice(9)) };
  if (text.startsWith("store:")) return { kind: "store", reference: parseDockerRef(text.slice(6)) };
  for (const kind of FILE_KINDS) {
    if (text.startsWith(`${kind}:`)) return parseFilePlace(kind, text.slice(kind.length + 1));
  }
  const scheme = /^([a-z][a-z0-9-]*):\/\//.exec(text)?.[1];
  if (scheme !== undefined) {
    throw new UsageError(
      `Cannot read image ${JSON.stringify(text)}: names take docker://, oci:, oci-archive:, docker-archive: or store:, not ${scheme}://`,
    );
  }
  return { kind: "docker", reference: parseDockerRef(text) };
}

function parseFilePlace(kind: FilePlaceKind, rest: string): Place {
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const name = colon < 0 ? undefined : rest.slice(colon + 1);
  const what = kind === "oci" ? "DIR" : "FILE";
  if (path === "")
    throw new UsageError(
      `Cannot read image "${kind}:${rest}": write ${kind}:${what} or ${kind}:${what}:NAME`,
    );
  if (name === "")
    throw new UsageError(`Cannot read image "${kind}:${rest}": nothing stands behind the last colon`);
  return { kind, path, name };
}
