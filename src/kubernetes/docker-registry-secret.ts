/**
 * The Secret by which Pods log in to a registry, made as `kubectl create secret docker-registry` makes it, byte for
 * byte: from a login, or from files that hold docker's own configuration.
 */
import { createHash } from "node:crypto";

import { DrayError } from "../errors.ts";
import { encodeJson, type GoJson } from "../internal/go/json-encode.ts";
import { goQuote } from "../internal/go/quote.ts";
import type { KubernetesObject } from "./objects/object.ts";
import { configKeyFaults } from "./validation/names.ts";

export const DEFAULT_DOCKER_SERVER = "https://index.docker.io/v1/";

const TYPE = "kubernetes.io/dockerconfigjson";
const KEY = ".dockerconfigjson";

/** Digits that could spell a word or be taken for another are replaced. */
const SAFE_DIGITS: Readonly<Record<string, string>> = { "0": "g", "1": "h", "3": "k", a: "m", e: "t" };
const HASH_LENGTH = 10;

/** `SETTINGS_INVALID` for what is wrong in itself, `UNREADABLE` for a file that can't be read. */
export type DockerRegistrySecretErrorCode = "SETTINGS_INVALID" | "UNREADABLE";

/** Messages are kubectl's own. None holds a password or what a file holds. */
export class DockerRegistrySecretError extends DrayError<DockerRegistrySecretErrorCode> {}

export interface DockerRegistrySecretOptions {
  readonly name: string;
  /** Left out of the Secret where it isn't given. */
  readonly namespace?: string | undefined;
  /** Names the Secret after what it holds, so that a change makes another one. */
  readonly appendHash?: boolean | undefined;
}

export interface DockerLogin {
  readonly username: string;
  readonly password: string;
  readonly email?: string | undefined;
  /** `https://index.docker.io/v1/` where it isn't given; empty is refused. */
  readonly server?: string | undefined;
}

/** @throws DockerRegistrySecretError */
export function createDockerRegistrySecret(
  login: DockerLogin,
  options: DockerRegistrySecretOptions,
): KubernetesObject {
  const { username, password, email = "", server = DEFAULT_DOCKER_SERVER } = login;
  checkName(options);
  if (username === "" || password === "" || server === "") throw incomplete();
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  const entry = { username, password, email: email === "" ? undefined : email, auth };
  const document = encodeJson({ auths: { [server]: entry } });
  return makeSecret(new Map([[KEY, Buffer.from(document)]]), options);
}

/** Reads one file; rejects as `node:fs` does. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

/**
 * @param sources each `KEY=PATH` or `PATH`, as with `--from-file`
 * @throws DockerRegistrySecretError
 */
export async function createDockerRegistrySecretFromFiles(
  sources: readonly string[],
  readFile: ReadFile,
  options: DockerRegistrySecretOptions,
): Promise<KubernetesObject> {
  checkName(options);
  if (sources.length === 0) throw incomplete();
  const data = new Map<string, Uint8Array>();
  for (const source of sources) {
    const { key, path } = parseFileSource(source.includes("=") ? source : `${KEY}=${source}`);
    const content = await read(path, readFile);
    const faults = configKeyFaults(key);
    if (faults.length > 0) {
      throw refuse(`${goQuote(key)} is not valid key name for a Secret ${faults.join(";")}`);
    }
    if (data.has(key)) throw refuse(`cannot add key ${key}, another key by that name already exists`);
    data.set(key, content);
  }
  return makeSecret(data, options);
}

/**
 * `KEY=PATH`; a path alone is its own file's name.
 *
 * @throws DockerRegistrySecretError
 */
export function parseFileSource(source: string): { readonly key: string; readonly path: string } {
  const parts = source.split("=");
  const [first = "", second = ""] = parts;
  if (parts.length === 1) return { key: baseName(first), path: first };
  if (parts.length === 2 && first === "") throw refuse(`key name for file path ${second} missing`);
  if (parts.length === 2 && second === "") throw refuse(`file path for key name ${first} missing`);
  if (parts.length > 2) throw refuse("key names or file paths cannot contain '='");
  return { key: first, path: second };
}

/** The last part of a path as Go takes it: slashes at the end don't count, and no path is `.`. */
function baseName(path: string): string {
  if (path === "") return ".";
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

async function read(path: string, readFile: ReadFile): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "EISDIR") throw refuse("cannot give a key name for a directory path");
    const why = SYSTEM_TEXTS[code] ?? (error instanceof Error ? error.message : String(error));
    throw new DockerRegistrySecretError("UNREADABLE", `error reading ${path}: ${why}`, { cause: error });
  }
}

const SYSTEM_TEXTS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  ENOTDIR: "not a directory",
  ELOOP: "too many levels of symbolic links",
  ENAMETOOLONG: "file name too long",
};

function makeSecret(
  content: ReadonlyMap<string, Uint8Array>,
  { name, namespace, appendHash }: DockerRegistrySecretOptions,
): KubernetesObject {
  const data = new Map(
    [...content].map(([key, bytes]): [string, string] => [key, Buffer.from(bytes).toString("base64")]),
  );
  const suffix = appendHash === true ? `-${hashOf(name, data)}` : "";
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: `${name}${suffix}`, ...(namespace !== undefined && namespace !== "" && { namespace }) },
    type: TYPE,
    data: Object.fromEntries(data),
  };
}

/** Of everything but the namespace. */
function hashOf(name: string, data: ReadonlyMap<string, string>): string {
  const members: GoJson = { data, kind: "Secret", name, type: TYPE };
  const digest = createHash("sha256").update(encodeJson(members)).digest("hex");
  return digest.slice(0, HASH_LENGTH).replace(/[013ae]/g, (digit) => SAFE_DIGITS[digit] ?? digit);
}

function checkName({ name }: DockerRegistrySecretOptions): void {
  if (name === "") throw refuse("name must be specified");
}

function incomplete(): DockerRegistrySecretError {
  return refuse(
    "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required",
  );
}

function refuse(message: string): DockerRegistrySecretError {
  return new DockerRegistrySecretError("SETTINGS_INVALID", message);
}
