import type { ConfigReader, Path } from "../access/config-reader.ts";
import type {
  AuditSettings,
  EndpointSettings,
  FileSettings,
  LogSettings,
  MetricsSettings,
} from "./config.ts";
import { readPatterns } from "./read-limits.ts";
import { readPort } from "./read-server.ts";

type FileOf = (name: string) => string;

const ACTIONS = ["push", "pull", "mount", "delete"] as const;
const ENDPOINT = [
  "name",
  "url",
  "headers",
  "headerFiles",
  "actions",
  "repositories",
  "timeout",
  "batch",
  "attempts",
  "backOff",
];
const MEBIBYTE = 2 ** 20;
/** With the longest wait of five minutes, more than a day. */
const ATTEMPTS = 300;

export function readEndpoints(
  reader: ConfigReader,
  value: unknown,
  fileOf: FileOf,
): readonly EndpointSettings[] {
  const names = new Set<string>();
  return reader.list(value, ["notifications"]).flatMap((one, index): EndpointSettings[] => {
    const path: Path = ["notifications", index];
    const endpoint = reader.object(one, path, ENDPOINT);
    if (endpoint === undefined) return [];
    const at = (name: string): Path => [...path, name];
    const name = reader.text(endpoint["name"], at("name")) ?? "";
    const url = reader.url(endpoint["url"], at("url")) ?? "";
    if (endpoint["name"] === undefined) reader.fault(at("name"), "is missing; its events are kept under it");
    else if (names.has(name)) reader.fault(at("name"), "is the name of another endpoint, too");
    names.add(name);
    if (endpoint["url"] === undefined) reader.fault(at("url"), "is missing; write https://HOST/PATH");
    const actions = reader.list(endpoint["actions"], at("actions"));
    const backOff = reader.object(endpoint["backOff"], at("backOff"), ["first", "most"]) ?? {};
    const files = readHeaders(reader, endpoint["headerFiles"], at("headerFiles"));
    return [
      {
        name,
        url,
        headers: readHeaders(reader, endpoint["headers"], at("headers")),
        headerFiles: Object.fromEntries(
          Object.entries(files).map(([header, file]) => [header, fileOf(file)]),
        ),
        actions:
          endpoint["actions"] === undefined
            ? undefined
            : actions.flatMap((word, place) => reader.oneOf(word, [...at("actions"), place], ACTIONS) ?? []),
        repositories:
          endpoint["repositories"] === undefined
            ? undefined
            : readPatterns(reader, endpoint["repositories"], at("repositories")),
        timeout: reader.duration(endpoint["timeout"], at("timeout"), 100) ?? 10_000,
        batch: reader.count(endpoint["batch"], at("batch"), 1) ?? 1,
        attempts: reader.count(endpoint["attempts"], at("attempts"), 1) ?? ATTEMPTS,
        backOff: {
          first: reader.duration(backOff["first"], [...at("backOff"), "first"], 1_000) ?? 1_000,
          most: reader.duration(backOff["most"], [...at("backOff"), "most"], 1_000) ?? 5 * 60_000,
        },
      },
    ];
  });
}

export function readAudit(reader: ConfigReader, value: unknown): AuditSettings | undefined {
  const known = ["file", "sync", "required", "maxSize", "keep"];
  const audit = reader.object(value, ["audit"], known);
  if (audit === undefined) return undefined;
  return {
    file: reader.text(audit["file"], ["audit", "file"]) ?? "audit.log",
    sync: reader.oneOf(audit["sync"], ["audit", "sync"], ["always", "second", "never"]) ?? "second",
    required: reader.flag(audit["required"], ["audit", "required"]) ?? false,
    ...readFile(reader, audit, "audit"),
  };
}

export function readLog(reader: ConfigReader, value: unknown, fileOf: FileOf): LogSettings | undefined {
  const log = reader.object(value, ["log"], ["format", "file", "maxSize", "keep"]);
  if (log === undefined) return undefined;
  const file = reader.text(log["file"], ["log", "file"]);
  return {
    format: reader.oneOf(log["format"], ["log", "format"], ["json", "combined"]) ?? "json",
    file: file === undefined ? undefined : fileOf(file),
    ...readFile(reader, log, "log"),
  };
}

export function readMetrics(reader: ConfigReader, value: unknown): MetricsSettings | undefined {
  const metrics = reader.object(value, ["metrics"], ["address", "port", "path"]);
  if (metrics === undefined) return undefined;
  const path = reader.text(metrics["path"], ["metrics", "path"]) ?? "/metrics";
  if (!path.startsWith("/")) reader.fault(["metrics", "path"], "is not a path; write /metrics");
  if (metrics["port"] === undefined) reader.fault(["metrics", "port"], "is missing; write 5001, say");
  return {
    address: reader.text(metrics["address"], ["metrics", "address"]) ?? "127.0.0.1",
    port: readPort(reader, metrics["port"], ["metrics", "port"]) ?? 0,
    path,
  };
}

function readFile(
  reader: ConfigReader,
  section: Readonly<Record<string, unknown>>,
  name: string,
): FileSettings {
  return {
    maxSize: reader.size(section["maxSize"], [name, "maxSize"]) ?? 100 * MEBIBYTE,
    keep: reader.count(section["keep"], [name, "keep"], 0) ?? 10,
  };
}

/** Names and values that can stand in a request. */
function readHeaders(reader: ConfigReader, value: unknown, path: Path): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, one] of Object.entries(reader.record(value, path))) {
    const text = reader.text(one, [...path, name]);
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) reader.fault([...path, name], "is no name of a header");
    else if (text !== undefined && /[\r\n\0]/.test(text))
      reader.fault([...path, name], "is more than a line");
    else if (text !== undefined) headers[name] = text;
  }
  return headers;
}
