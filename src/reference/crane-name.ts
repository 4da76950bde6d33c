/**
 * Image names as go-containerregistry, and so crane, reads them: `index.docker.io` for Docker Hub, sha256 digests
 * only, and few rules for repositories. A name is a tag or a digest, never both.
 */
import { isDigest, type Digest } from "../oci/index.ts";
import { isAuthority } from "./authority.ts";
import { InvalidReferenceError, quote } from "./errors.ts";
import { DEFAULT_TAG, OFFICIAL_PREFIX } from "./parse.ts";

const DOCKER_HUB = "index.docker.io";
const DOCKER_HUB_ALIAS = "docker.io";
const REPOSITORY = /^[a-z0-9_\-./]{1,255}$/;
const TAG = /^[A-Za-z0-9_\-.]{1,128}$/;

export interface CraneNameOptions {
  /** Refuse names that leave out the registry, the tag or `library/`. */
  readonly strict?: boolean | undefined;
  readonly defaultRegistry?: string | undefined;
  readonly defaultTag?: string | undefined;
}

export interface CraneRepository {
  readonly registry: string;
  /** With `library/` where Docker Hub wants it. */
  readonly repository: string;
}

export interface CraneTag extends CraneRepository {
  readonly kind: "tag";
  readonly tag: string;
}

export interface CraneDigest extends CraneRepository {
  readonly kind: "digest";
  readonly digest: Digest;
}

/** What a token is asked for. */
export type CraneScope = "pull" | "push,pull" | "push,pull,delete" | "catalog";

/** @throws InvalidReferenceError `INVALID_FORMAT` */
export function parseCraneRegistry(text: string, options: CraneNameOptions = {}): string {
  if (text === "" && options.strict === true) throw invalid(text, "the registry must be named");
  if (!isAuthority(text)) throw invalid(text, "the registry is not a host with optional port");
  const registry = text === "" ? (options.defaultRegistry ?? DOCKER_HUB) : text;
  return registry === DOCKER_HUB_ALIAS ? DOCKER_HUB : registry;
}

/** @throws InvalidReferenceError `INVALID_FORMAT` */
export function parseCraneRepository(text: string, options: CraneNameOptions = {}): CraneRepository {
  const slash = text.indexOf("/");
  const first = slash < 0 ? "" : text.slice(0, slash);
  const hosted = first === "localhost" || first.includes(".") || first.includes(":");
  const repository = hosted ? text.slice(slash + 1) : text;
  if (!REPOSITORY.test(repository)) {
    throw invalid(text, "a repository takes 1 to 255 of a-z, 0-9, and _ - . /");
  }
  const registry = parseCraneRegistry(hosted ? first : "", options);
  if (registry !== DOCKER_HUB || repository.includes("/")) return { registry, repository };
  if (options.strict === true) throw invalid(text, "the repository must be written in full, with library/");
  return { registry, repository: OFFICIAL_PREFIX + repository };
}

/** @throws InvalidReferenceError `INVALID_FORMAT`, `INVALID_TAG` */
export function parseCraneTag(text: string, options: CraneNameOptions = {}): CraneTag {
  const colon = text.lastIndexOf(":");
  const tagged = colon >= 0 && !text.includes("/", colon);
  const tag = tagged ? text.slice(colon + 1) : undefined;
  if (tag === undefined ? options.strict === true : !TAG.test(tag)) {
    throw new InvalidReferenceError(
      "INVALID_TAG",
      `Cannot read image name ${quote(text)}: a tag takes 1 to 128 of A-Z, a-z, 0-9, and _ - .`,
    );
  }
  const named = parseCraneRepository(tagged ? text.slice(0, colon) : text, options);
  return { kind: "tag", ...named, tag: tag ?? options.defaultTag ?? DEFAULT_TAG };
}

/** @throws InvalidReferenceError `INVALID_FORMAT`, `INVALID_DIGEST_FORMAT` */
export function parseCraneDigest(text: string, options: CraneNameOptions = {}): CraneDigest {
  const at = text.indexOf("@");
  const digest = text.slice(at + 1);
  if (at < 0 || !isDigest(digest, { algorithms: ["sha256"] })) {
    throw new InvalidReferenceError(
      "INVALID_DIGEST_FORMAT",
      `Cannot read image name ${quote(text)}: it should end in @sha256:<64 lower-case hex digits>`,
    );
  }
  return { kind: "digest", ...repositoryBeside(text.slice(0, at), options), digest };
}

/** A tag, or else a digest. @throws InvalidReferenceError `INVALID_FORMAT` */
export function parseCraneName(text: string, options: CraneNameOptions = {}): CraneTag | CraneDigest {
  return (
    attempt(() => parseCraneTag(text, options)) ??
    attempt(() => parseCraneDigest(text, options)) ??
    fail(text, "it is neither a tag nor a digest")
  );
}

export function formatCraneName(name: CraneRepository | CraneTag | CraneDigest): string {
  const base = name.registry === "" ? name.repository : `${name.registry}/${name.repository}`;
  if (!("kind" in name)) return base;
  return name.kind === "tag" ? `${base}:${name.tag}` : `${base}@${name.digest}`;
}

/** `http` for what can only be this machine or a private network, `https` for all others. */
export function craneScheme(
  registry: string,
  options: { readonly insecure?: boolean } = {},
): "http" | "https" {
  const local =
    options.insecure === true ||
    isPrivateAddress(registry) ||
    registry.startsWith("localhost:") ||
    /\.localhost(?::\d{1,5})?$/.test(registry) ||
    /^(?:127\.0\.0\.1|::1|\[::1\])(?::\d{1,5})?$/.test(registry);
  return local ? "http" : "https";
}

/** Whether a registry's host is an IPv4 address of RFC 1918. */
export function isPrivateAddress(registry: string): boolean {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?::|$)/.exec(registry);
  if (match === null) return false;
  const [a = 0, b = 0, ...rest] = match.slice(1).map(Number);
  const canonical = match.slice(1).every((part) => String(Number(part)) === part);
  if (!canonical || Math.max(a, b, ...rest) > 255) return false;
  return a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168);
}

/** The scope of a token for a repository, or for a registry's catalog. */
export function craneScope(name: CraneRepository | string, action: CraneScope): string {
  return typeof name === "string" ? "registry:catalog:*" : `repository:${name.repository}:${action}`;
}

/** A tag beside the digest is dropped; one that isn't right makes the whole name wrong. */
function repositoryBeside(text: string, options: CraneNameOptions): CraneRepository {
  const tagged = attempt(() => parseCraneTag(text, options));
  if (tagged === undefined) return parseCraneRepository(text, options);
  return parseCraneRepository(
    formatCraneName({ registry: tagged.registry, repository: tagged.repository }),
    options,
  );
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof InvalidReferenceError) return undefined;
    throw error;
  }
}

function fail(text: string, why: string): never {
  throw invalid(text, why);
}

function invalid(text: string, why: string): InvalidReferenceError {
  return new InvalidReferenceError("INVALID_FORMAT", `Cannot read image name ${quote(text)}: ${why}`);
}
