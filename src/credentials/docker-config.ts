/**
 * Docker's `config.json`, which is Podman's `auth.json` too.
 *
 * ```json
 * {
 *   "auths": { "ghcr.io": { "auth": "<base64 user:password>" }, "quay.io/team": { "identitytoken": "…" } },
 *   "credHelpers": { "gcr.io": "gcloud" },
 *   "credsStore": "pass"
 * }
 * ```
 *
 * Other members are nobody's business here; they survive a rewrite untouched.
 */
import { type AuthEntry } from "./auth-entry.ts";
import { CredentialsError } from "./errors.ts";
import { canonicalKey, keysFor, normalizeKey } from "./registry-key.ts";

type JsonObject = Readonly<Record<string, unknown>>;

export interface DockerConfig {
  readonly auths: Readonly<Record<string, AuthEntry>>;
  readonly credHelpers: Readonly<Record<string, string>>;
  /** Empty when there's none. */
  readonly credsStore: string;
  /** Everything, as it stood in the file. */
  readonly document: JsonObject;
}

/**
 * Reads the text of a file; `path` is for messages.
 * @throws CredentialsError `CONFIG_INVALID`
 */
export function parseDockerConfig(text: string, path: string): DockerConfig {
  let document: unknown;
  try {
    document = text.trim() === "" ? {} : JSON.parse(text.replace(/^\ufeff/, ""));
  } catch {
    // The parser's message would quote the text around the mistake, which may be a secret.
    throw invalid(path, "not JSON");
  }
  if (!isObject(document)) throw invalid(path, "not a JSON object");
  const auths = memberOf(document, "auths", path);
  const helpers = memberOf(document, "credHelpers", path);
  const credsStore = document["credsStore"] ?? "";
  if (typeof credsStore !== "string") throw invalid(path, '"credsStore" is not a string');
  for (const [key, entry] of Object.entries(auths)) {
    if (entry !== null && !isObject(entry)) throw invalid(path, `auths["${key}"] is not an object`);
  }
  for (const [key, suffix] of Object.entries(helpers)) {
    if (typeof suffix !== "string") throw invalid(path, `credHelpers["${key}"] is not a string`);
  }
  return {
    auths: Object.fromEntries(Object.entries(auths).map(([key, entry]) => [key, (entry ?? {}) as AuthEntry])),
    credHelpers: helpers as Readonly<Record<string, string>>,
    credsStore,
    document,
  };
}

/** The helper that keeps a registry's credential, if one does. */
export function helperFor(config: DockerConfig, host: string): string | undefined {
  const wanted = normalizeKey(host);
  const keys = Object.keys(config.credHelpers);
  const key =
    keys.find((candidate) => candidate === host) ??
    keys.find((candidate) => normalizeKey(candidate) === wanted);
  return (key === undefined ? undefined : config.credHelpers[key]) || config.credsStore || undefined;
}

/** Keys of `auths` that serve a repository, the most specific first; of several spellings Docker's own comes first. */
export function authKeysFor(config: DockerConfig, host: string, repository?: string): readonly string[] {
  const present = Object.keys(config.auths);
  return keysFor(host, repository).flatMap((wanted) =>
    present.filter((key) => normalizeKey(key) === wanted).toSorted((a, b) => rank(a, host) - rank(b, host)),
  );
}

function rank(key: string, host: string): number {
  return key === canonicalKey(host) ? 0 : key === host ? 1 : 2;
}

function memberOf(document: JsonObject, name: string, path: string): JsonObject {
  const value = document[name] ?? {};
  if (isObject(value)) return value;
  throw invalid(path, `"${name}" is not an object`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(path: string, why: string): CredentialsError {
  return new CredentialsError("CONFIG_INVALID", `Cannot read credentials from "${path}": ${why}`);
}
