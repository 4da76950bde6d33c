import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";

import { findAccessFaults, type AccessConfig } from "../access/config.ts";
import { ConfigReader, type Fault } from "../access/config-reader.ts";
import { RegistryError } from "../errors.ts";
import { findMirrorFaults, type MirrorConfig } from "../mirror/config.ts";
import type { AccessSettings, MirrorSettings, RegistrySettings } from "./config.ts";
import { LocatedDocument } from "./located-document.ts";
import { readCollection } from "./read-collection.ts";
import { readLimits } from "./read-limits.ts";
import { readAudit, readEndpoints, readLog, readMetrics } from "./read-operations.ts";
import { readListen, readStorage } from "./read-server.ts";

const SECTIONS = [
  "listen",
  "storage",
  "access",
  "limits",
  "collection",
  "retention",
  "mirror",
  "notifications",
  "audit",
  "log",
  "metrics",
];

/**
 * Reads a configuration and the files it names that say more of it.
 *
 * @throws RegistryError `CONFIG_UNREADABLE`, `CONFIG_INVALID` with every fault, its file, line and column
 */
export async function readRegistryConfig(path: string): Promise<RegistrySettings> {
  return await parseRegistryConfig(await readText(path), path);
}

/** The same for a text; `path` is what messages call it and what file names in it are relative to. */
export async function parseRegistryConfig(text: string, path: string): Promise<RegistrySettings> {
  const document = LocatedDocument.parse(text, path);
  const { settings, faults } = read(document.value, dirname(resolve(path)));
  document.check(faults);
  const { access } = settings;
  if (access?.file === undefined) return settings;
  return { ...settings, access: await readAccessFile(access.file) };
}

/**
 * Reads a file that says who may do what, alone.
 *
 * @throws RegistryError `CONFIG_UNREADABLE`, `CONFIG_INVALID`
 */
export async function readAccessFile(path: string): Promise<AccessSettings> {
  const document = LocatedDocument.parse(await readText(path), path);
  document.check(findAccessFaults(document.value));
  return { config: document.value as AccessConfig, folder: dirname(resolve(path)), file: path };
}

/** What holds without a configuration. */
export function defaultSettings(): RegistrySettings {
  return read({}, ".").settings;
}

function read(
  value: unknown,
  folder: string,
): { readonly settings: RegistrySettings; readonly faults: readonly Fault[] } {
  const reader = new ConfigReader();
  const config = reader.object(value, [], SECTIONS) ?? {};
  const fileOf = (name: string): string => resolve(folder, name);
  const settings: RegistrySettings = {
    listen: readListen(reader, config["listen"], fileOf),
    storage: readStorage(reader, config["storage"], fileOf),
    access: readAccess(reader, config["access"], folder),
    limits: readLimits(reader, config["limits"]),
    collection: readCollection(reader, config["collection"], config["retention"]),
    mirror: readMirror(reader, config["mirror"], folder),
    notifications: readEndpoints(reader, config["notifications"], fileOf),
    audit: readAudit(reader, config["audit"]),
    log: readLog(reader, config["log"], fileOf),
    metrics: readMetrics(reader, config["metrics"]),
  };
  return { settings, faults: reader.faults };
}

function readAccess(reader: ConfigReader, value: unknown, folder: string): AccessSettings | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && value !== "") {
    return { config: {}, folder, file: resolve(folder, value) };
  }
  for (const { path, why } of findAccessFaults(value)) reader.fault(["access", ...path], why);
  return { config: value as AccessConfig, folder, file: undefined };
}

function readMirror(reader: ConfigReader, value: unknown, folder: string): MirrorSettings | undefined {
  if (value === undefined) return undefined;
  for (const { path, why } of findMirrorFaults(value)) reader.fault(["mirror", ...path], why);
  return { config: value as MirrorConfig, folder };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const why = code === "ENOENT" ? "there is no such file" : "it cannot be read";
    const message = `Cannot read the configuration ${JSON.stringify(path)}: ${why}`;
    throw new RegistryError("CONFIG_UNREADABLE", message, { cause });
  }
}
