import type { ConfigReader } from "../access/config-reader.ts";
import type { ListenSettings, StorageSettings, TlsFiles } from "./config.ts";

type FileOf = (name: string) => string;

const DRAIN = 30_000;

export function readListen(reader: ConfigReader, value: unknown, fileOf: FileOf): ListenSettings {
  const known = ["address", "port", "tls", "http2", "idle", "farewell", "drain"];
  const listen = reader.object(value, ["listen"], known) ?? {};
  const at = (name: string): string[] => ["listen", name];
  return {
    address: reader.text(listen["address"], at("address")),
    port: readPort(reader, listen["port"], at("port")),
    tls: readTls(reader, listen["tls"], fileOf),
    http2: reader.flag(listen["http2"], at("http2")) ?? true,
    idle: reader.duration(listen["idle"], at("idle"), 1_000),
    farewell: reader.duration(listen["farewell"], at("farewell"), 0) ?? 0,
    drain: reader.duration(listen["drain"], at("drain"), 0) ?? DRAIN,
  };
}

export function readStorage(reader: ConfigReader, value: unknown, fileOf: FileOf): StorageSettings {
  const known = ["folder", "uploads", "cache", "sparse", "deletable"];
  const storage = reader.object(value, ["storage"], known) ?? {};
  const at = (name: string): string[] => ["storage", name];
  const folder = reader.text(storage["folder"], at("folder"));
  return {
    folder: folder === undefined ? undefined : fileOf(folder),
    uploads: reader.duration(storage["uploads"], at("uploads"), 60_000),
    cache: storage["cache"] === 0 ? 0 : reader.size(storage["cache"], at("cache")),
    sparse: reader.flag(storage["sparse"], at("sparse")) ?? false,
    deletable: reader.flag(storage["deletable"], at("deletable")) ?? true,
  };
}

export function readPort(reader: ConfigReader, value: unknown, path: readonly string[]): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  return reader.fault(path, "is not a port from 0 to 65535");
}

function readTls(reader: ConfigReader, value: unknown, fileOf: FileOf): TlsFiles | undefined {
  const path = ["listen", "tls"];
  const tls = reader.object(value, path, ["certificate", "key", "clientCA"]);
  if (tls === undefined) return undefined;
  const file = (name: string): string | undefined => {
    const text = reader.text(tls[name], [...path, name]);
    return text === undefined ? undefined : fileOf(text);
  };
  for (const name of ["certificate", "key"]) {
    if (tls[name] === undefined) reader.fault([...path, name], "is missing; name a PEM file");
  }
  return { certificate: file("certificate") ?? "", key: file("key") ?? "", clientCa: file("clientCA") };
}
