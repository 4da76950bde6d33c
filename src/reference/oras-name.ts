/**
 * Artifact names as oras reads them: the registry is always written, nothing is added, and a tag beside a digest is
 * taken on trust.
 */
import { findDigestFault, isTag, scanRepository, type Digest } from "../oci/index.ts";
import { isAuthority } from "./authority.ts";
import { InvalidReferenceError, quote, type InvalidReferenceErrorCode } from "./errors.ts";
import { DEFAULT_DOMAIN } from "./parse.ts";

export interface OrasName {
  readonly registry: string;
  readonly repository: string;
  /** As written when there is a digest, checked when there is none. */
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Schemes people paste; each is dropped once, in this order. */
const SCHEMES = ["oci://", "http://", "https://"];

/** @throws InvalidReferenceError `INVALID_FORMAT`, `INVALID_TAG`, `INVALID_DIGEST_FORMAT` */
export function parseOrasName(text: string): OrasName {
  let rest = text;
  for (const scheme of SCHEMES) if (rest.startsWith(scheme)) rest = rest.slice(scheme.length);
  const slash = rest.indexOf("/");
  const registry = rest.slice(0, Math.max(0, slash));
  if (registry === "" || !isAuthority(registry)) {
    throw invalid(
      "INVALID_FORMAT",
      text,
      "it should begin with a registry, as in registry.example/repository",
    );
  }
  const { repository, tag, digest } = split(rest.slice(slash + 1));
  if (repository === "" || scanRepository(repository, 0) !== repository.length) {
    throw invalid("INVALID_FORMAT", text, "its repository is not one");
  }
  if (digest === "" && tag !== "" && !isTag(tag)) throw invalid("INVALID_TAG", text, "its tag is not one");
  if (digest !== "" && findDigestFault(digest) !== undefined) {
    throw invalid("INVALID_DIGEST_FORMAT", text, "its digest is not one");
  }
  return {
    registry,
    repository,
    ...(tag !== "" && { tag }),
    ...(digest !== "" && { digest: digest as Digest }),
  };
}

/** What a registry is asked for: the digest, else the tag, else nothing. */
export function orasReference({ tag, digest }: OrasName): string {
  return digest ?? tag ?? "";
}

/** Where a registry answers, which for Docker Hub is not the host of its names. */
export function orasHost({ registry }: OrasName): string {
  return registry === DEFAULT_DOMAIN ? "registry-1.docker.io" : registry;
}

function split(path: string): { readonly repository: string; readonly tag: string; readonly digest: string } {
  const at = path.indexOf("@");
  const named = at < 0 ? path : path.slice(0, at);
  const digest = at < 0 ? "" : path.slice(at + 1);
  const colon = named.indexOf(":");
  return colon < 0
    ? { repository: named, tag: "", digest }
    : { repository: named.slice(0, colon), tag: named.slice(colon + 1), digest };
}

function invalid(code: InvalidReferenceErrorCode, text: string, why: string): InvalidReferenceError {
  return new InvalidReferenceError(code, `Cannot read artifact name ${quote(text)}: ${why}`);
}
