/**
 * containerd's `hosts.toml`: which endpoints stand in for a registry.
 *
 * ```toml
 * server = "https://registry-1.docker.io"        # tried last; root keys are about it
 *
 * [host."https://mirror.local:5000"]             # tried in the order of their tables
 *   capabilities = ["pull", "resolve"]           # of pull, resolve, push, referrers; all when absent
 *   ca = ["a.crt", "b.crt"]                      # relative to the file's directory
 *   client = [["c.cert", "c.key"], "both.pem"]
 *   skip_verify = false
 *   override_path = false                        # true: no /v2 is appended to the path
 *   dial_timeout = "3s"
 *   [host."https://mirror.local:5000".header]
 *     x-custom = ["v1", "v2"]
 * ```
 */
import { isAbsolute, join, posix } from "node:path";
import type { TomlTable, TomlValue } from "smol-toml";
import { ClientError } from "./errors.ts";
import type { HostCapability } from "./host.ts";
import { parseGoDuration } from "./hosts-duration.ts";
import { orderOfHostTables, type ParseToml } from "./hosts-toml-order.ts";

export const ALL_CAPABILITIES: readonly HostCapability[] = ["pull", "resolve", "push", "referrers"];

/** One entry of the file; the last stands for the root keys and has no host when `server` isn't given. */
export interface HostsTomlEntry {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly capabilities: readonly HostCapability[];
  /** Paths of PEM files; undefined when the key is absent. */
  readonly ca: readonly string[] | undefined;
  /** Pairs of certificate and key file; an empty key file means the certificate's. */
  readonly client: readonly (readonly [string, string])[] | undefined;
  readonly skipVerify: boolean | undefined;
  readonly header: Readonly<Record<string, readonly string[]>>;
  /** Milliseconds. */
  readonly dialTimeout: number | undefined;
}

/**
 * The entries in the order to try them; undefined for an empty file, which counts as none.
 * @throws ClientError `HOSTS_INVALID` for TOML or types that containerd would refuse
 */
export async function parseHostsToml(
  text: string,
  options: { readonly directory?: string | undefined } = {},
): Promise<readonly HostsTomlEntry[] | undefined> {
  if (text === "") return undefined;
  // Few machines have such a file, and every command would pay for loading the parser.
  const { parse } = await import("smol-toml");
  const root = parseToml(text, parse);
  const hosts = asTable(field(root, "host") ?? {}, "host");
  for (const [name, value] of Object.entries(hosts)) checkTypes(asTable(value, name), name);
  checkTypes(root, "the root");
  const directory = options.directory ?? "";
  const entries = orderOfHostTables(text, parse).map((name) =>
    readEntry(name, asTable(hosts[name] ?? {}, name), { directory, name }),
  );
  const server = asString(field(root, "server") ?? "", "server");
  return [...entries, readEntry(server, root, { directory, name: "the root" })];
}

interface EntryContext {
  readonly directory: string;
  readonly name: string;
}

function readEntry(server: string, table: TomlTable, { directory, name }: EntryContext): HostsTomlEntry {
  const absolute = (path: string): string =>
    isAbsolute(path) || (path === "" && directory === "") ? path : join(directory, path);
  const timeout = field(table, "dial_timeout");
  return {
    ...readServer(server, field(table, "override_path") === true),
    capabilities: readCapabilities(field(table, "capabilities"), name),
    ca: readCa(field(table, "ca"), name)?.map(absolute),
    client: readClient(field(table, "client"), name)?.map(([cert, key]): [string, string] => [
      absolute(cert),
      key === "" ? "" : absolute(key),
    ]),
    skipVerify: field(table, "skip_verify") as boolean | undefined,
    header: readHeader(field(table, "header"), name),
    dialTimeout: timeout === undefined || timeout === "" ? undefined : readTimeout(timeout as string, name),
  };
}

/** Whatever doesn't start with `http` gets `https://`; so a host called `httpbin.local` needs its scheme spelled. */
function readServer(
  server: string,
  overridePath: boolean,
): { readonly scheme: string; readonly host: string; readonly path: string } {
  if (server === "") return { scheme: "", host: "", path: "" };
  const url = server.startsWith("http") ? server : `https://${server}`;
  const shape = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)/i.exec(url);
  const authority = shape?.[2] ?? "";
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (shape === null || /[\s\p{Cc}]/u.test(url) || !validHost(host)) {
    throw invalid(`server ${quote(server)} is not a URL`);
  }
  const scheme = (shape[1] ?? "").toLowerCase();
  let path = decodePath(shape[3] ?? "", server);
  if (path !== "") {
    path = posix.normalize(path).replace(/(?<=.)\/$/, "");
    if (!path.endsWith("/v2") && !overridePath) path += "/v2";
  } else if (!overridePath) {
    path = "/v2";
  }
  return { scheme, host, path };
}

function validHost(host: string): boolean {
  return /^(?:\[[^\][]+\]|[^:[\]<>"{}|\\^`]*)(?::\d*)?$/.test(host);
}

function decodePath(path: string, server: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw invalid(`server ${quote(server)} has a broken escape in its path`, cause);
  }
}

function readCapabilities(value: TomlValue | undefined, name: string): readonly HostCapability[] {
  const wanted = (value as string[] | undefined)?.map((item) => item.toLowerCase()) ?? [];
  const unknown = wanted.find((item) => !(ALL_CAPABILITIES as readonly string[]).includes(item));
  if (unknown !== undefined) {
    throw invalid(
      `unknown capability ${quote(unknown)} at ${name}; known are ${ALL_CAPABILITIES.join(", ")}`,
    );
  }
  return wanted.length === 0
    ? ALL_CAPABILITIES
    : ALL_CAPABILITIES.filter((capability) => wanted.includes(capability));
}

function readCa(value: TomlValue | undefined, name: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return [value];
  if (isStrings(value)) return value;
  throw invalid(`"ca" at ${name} is neither a string nor an array of strings`);
}

function readClient(
  value: TomlValue | undefined,
  name: string,
): readonly (readonly [string, string])[] | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return [[value, ""]];
  if (Array.isArray(value)) {
    return value.map((item): [string, string] => {
      if (typeof item === "string") return [item, ""];
      if (isStrings(item) && item.length === 2) return [item[0] as string, item[1] as string];
      throw invalid(`"client" at ${name} has an element that is neither a file nor a pair of files`);
    });
  }
  throw invalid(`"client" at ${name} is neither a string nor an array`);
}

function readHeader(value: TomlValue | undefined, name: string): Readonly<Record<string, readonly string[]>> {
  const entries = Object.entries(asTable(value ?? {}, "header"));
  return Object.fromEntries(
    entries.map(([key, item]) => {
      if (typeof item === "string") return [key, [item]];
      if (isStrings(item)) return [key, item];
      throw invalid(`header ${quote(key)} at ${name} is neither a string nor an array of strings`);
    }),
  );
}

function readTimeout(value: string, name: string): number {
  const milliseconds = parseGoDuration(value);
  if (milliseconds === undefined) {
    throw invalid(`"dial_timeout" at ${name} is not a duration such as "3s": ${quote(value)}`);
  }
  return milliseconds;
}

/** Keys with one type are checked in every table, even in those that name no host to try. */
function checkTypes(table: TomlTable, name: string): void {
  const expect = (key: string, fits: (value: TomlValue) => boolean, type: string): void => {
    const value = field(table, key);
    if (value !== undefined && !fits(value)) throw invalid(`"${key}" at ${name} is not ${type}`);
  };
  expect("capabilities", isStrings, "an array of strings");
  expect("skip_verify", (value) => typeof value === "boolean", "true or false");
  expect("override_path", (value) => typeof value === "boolean", "true or false");
  expect("dial_timeout", (value) => typeof value === "string", 'a duration such as "3s"');
  expect("header", isTable, "a table");
}

/** Exact spelling first, then without regard to case, as containerd's reader finds keys. */
function field(table: TomlTable, key: string): TomlValue | undefined {
  if (Object.hasOwn(table, key)) return table[key];
  const found = Object.keys(table).find((candidate) => candidate.toLowerCase() === key);
  return found === undefined ? undefined : table[found];
}

function parseToml(text: string, parse: ParseToml): TomlTable {
  try {
    return parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : "";
    throw invalid(why.replace(/^Invalid TOML document: /, "not TOML: "), cause);
  }
}

function isTable(value: TomlValue): value is TomlTable {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof Date);
}

function isStrings(value: TomlValue): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function asTable(value: TomlValue, name: string): TomlTable {
  if (isTable(value)) return value;
  throw invalid(`${quote(name)} is not a table`);
}

function asString(value: TomlValue, name: string): string {
  if (typeof value === "string") return value;
  throw invalid(`${quote(name)} is not a string`);
}

function quote(text: string): string {
  return JSON.stringify(text);
}

function invalid(why: string, cause?: unknown): ClientError {
  return new ClientError("HOSTS_INVALID", `Cannot read hosts.toml: ${why}`, { cause });
}
