import { isRepositoryName } from "../../oci/index.ts";
import type { ConfigReader, Path } from "../access/config-reader.ts";
import { RepositoryPattern } from "../access/pattern.ts";
import type { TlsConfig, UpstreamSettings } from "./config.ts";
import { RepositoryRules } from "./repository-rules.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

const MEMBERS: readonly string[] = [
  "registry",
  "prefix",
  "url",
  "repositories",
  "credentials",
  "tls",
  "ttl",
  "staleWhileRevalidate",
  "maxStale",
  "negativeTtl",
  "proof",
  "rateLimit",
  "downloads",
  "maxBlobSize",
  "finish",
  "downTime",
];

/** Every fault is noted; what comes back is only used when there is none. */
export function readUpstreams(reader: ConfigReader, value: unknown): readonly UpstreamSettings[] {
  const upstreams = reader.list(value, ["upstreams"]).flatMap((one, index) => {
    const settings = readUpstream(reader, one, ["upstreams", index]);
    return settings === undefined ? [] : [settings];
  });
  const prefixes = new Map<string, number>();
  const registries = new Map<string, number>();
  for (const [index, { prefix, registry }] of upstreams.entries()) {
    const [samePrefix, sameRegistry] = [prefixes.get(prefix), registries.get(registry)];
    if (samePrefix !== undefined) {
      const taken = `is ${JSON.stringify(prefix)} like that of upstreams[${samePrefix}]; give each its own`;
      reader.fault(["upstreams", index, "prefix"], taken);
    }
    if (sameRegistry !== undefined) {
      const taken = `is the same as upstreams[${sameRegistry}].registry; one entry has to do`;
      reader.fault(["upstreams", index, "registry"], taken);
    }
    prefixes.set(prefix, index);
    registries.set(registry, index);
  }
  return upstreams;
}

function readUpstream(reader: ConfigReader, value: unknown, path: Path): UpstreamSettings | undefined {
  const at = (name: string): Path => [...path, name];
  const entry = reader.object(value, path, MEMBERS);
  if (entry === undefined) return undefined;
  const duration = (name: string, least: number, usual: number): number =>
    reader.duration(entry[name], at(name), least) ?? usual;
  const registry = readRegistry(reader, entry["registry"], at("registry"));
  return {
    registry,
    prefix: readPrefix(reader, entry["prefix"], { path: at("prefix"), registry }),
    url: readUrl(reader, entry["url"], at("url")),
    repositories: readRules(reader, entry["repositories"], at("repositories")),
    credentials: readCredentials(reader, entry["credentials"], at("credentials")),
    tls: readTls(reader, entry["tls"], at("tls")),
    ttl: duration("ttl", 0, 5 * MINUTE),
    staleWhileRevalidate: duration("staleWhileRevalidate", 0, 0),
    maxStale: duration("maxStale", 0, 30 * DAY),
    negativeTtl: duration("negativeTtl", 0, 10 * SECOND),
    proof: duration("proof", 0, 5 * MINUTE),
    rateLimit: readRateLimit(reader, entry["rateLimit"], at("rateLimit")),
    downloads: reader.count(entry["downloads"], at("downloads"), 1) ?? 16,
    maxBlobSize: reader.size(entry["maxBlobSize"], at("maxBlobSize")) ?? Number.MAX_SAFE_INTEGER,
    finish: readFlag(reader, entry["finish"], at("finish")),
    downTime: duration("downTime", 0, 5 * SECOND),
  };
}

function readRegistry(reader: ConfigReader, value: unknown, path: Path): string {
  if (value === undefined) reader.fault(path, "is missing; write docker.io, or HOST:PORT");
  const text = reader.text(value, path) ?? "";
  if (text !== "" && !/^(?:[a-zA-Z0-9][a-zA-Z0-9.-]*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/.test(text)) {
    reader.fault(path, "is not a registry's name; write docker.io, or HOST:PORT without https://");
  }
  return text === "index.docker.io" || text === "registry-1.docker.io" ? "docker.io" : text;
}

function readPrefix(
  reader: ConfigReader,
  value: unknown,
  { path, registry }: { readonly path: Path; readonly registry: string },
): string {
  if (value === "") return "";
  const prefix = reader.text(value, path) ?? registry.toLowerCase();
  if (prefix !== "" && !isRepositoryName(prefix)) {
    const how = "of repositories takes lower-case words and slashes; write prefix: corp, say";
    reader.fault(path, `is ${JSON.stringify(prefix)}, and the beginning ${how}`);
  }
  return prefix;
}

function readUrl(reader: ConfigReader, value: unknown, path: Path): string | undefined {
  const url = reader.url(value, path);
  if (url === undefined) return undefined;
  const { pathname, search, username, password } = new URL(url);
  if (username !== "" || password !== "") {
    return reader.fault(path, "has a user in it; write it as credentials, with a passwordFile");
  }
  const plain = pathname === "/" && search === "";
  return plain ? url : reader.fault(path, "has a path; write https://HOST:PORT alone");
}

function readRules(reader: ConfigReader, value: unknown, path: Path): RepositoryRules {
  const rules = reader.object(value, path, ["allow", "deny"]);
  const patterns = (name: string): readonly RepositoryPattern[] =>
    reader.texts(rules?.[name], [...path, name]).flatMap((text, index) => {
      const pattern = RepositoryPattern.parseWithoutUser(text);
      if (!("fault" in pattern)) return [pattern];
      reader.fault([...path, name, index], pattern.fault);
      return [];
    });
  const allow = rules?.["allow"] === undefined ? undefined : patterns("allow");
  return new RepositoryRules(allow, patterns("deny"));
}

function readCredentials(reader: ConfigReader, value: unknown, path: Path): UpstreamSettings["credentials"] {
  if (value === undefined || value === "none" || value === "callers") return value ?? "none";
  if (typeof value !== "object") {
    reader.fault(path, "can be none, callers, or an object with username and passwordFile");
    return "none";
  }
  const entry = reader.object(value, path, ["username", "passwordFile"]);
  if (entry === undefined) return "none";
  for (const name of ["username", "passwordFile"]) {
    if (entry[name] === undefined) reader.fault([...path, name], "is missing");
  }
  return {
    username: reader.text(entry["username"], [...path, "username"]) ?? "",
    passwordFile: reader.text(entry["passwordFile"], [...path, "passwordFile"]) ?? "",
  };
}

function readTls(reader: ConfigReader, value: unknown, path: Path): TlsConfig {
  const tls = reader.object(value, path, ["ca", "cert", "key", "insecure"]) ?? {};
  const text = (name: string): string | undefined => reader.text(tls[name], [...path, name]);
  const [ca, cert, key] = [text("ca"), text("cert"), text("key")];
  if (key !== undefined && cert === undefined) reader.fault([...path, "key"], "needs cert beside it");
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(tls["insecure"] !== undefined && {
      insecure: readFlag(reader, tls["insecure"], [...path, "insecure"]),
    }),
  };
}

function readRateLimit(reader: ConfigReader, value: unknown, path: Path): UpstreamSettings["rateLimit"] {
  const limit = reader.object(value, path, ["requests", "per"]);
  if (limit === undefined) return undefined;
  for (const name of ["requests", "per"]) {
    if (limit[name] === undefined) reader.fault([...path, name], "is missing; write requests: 100, per: 6h");
  }
  return {
    requests: reader.count(limit["requests"], [...path, "requests"], 1) ?? 1,
    per: reader.duration(limit["per"], [...path, "per"], SECOND) ?? DAY,
  };
}

export function readFlag(reader: ConfigReader, value: unknown, path: Path): boolean {
  if (typeof value === "boolean" || value === undefined) return value ?? false;
  reader.fault(path, "can be true or false");
  return false;
}
