import type { Platform } from "../oci/index.ts";
import { BuildError } from "./errors.ts";

/** How containers of the image run; an absent member keeps what the base has. */
export interface ImageSettings {
  /** Empty takes the base's away. Setting it takes the base's `cmd` away too, unless `cmd` is given. */
  readonly entrypoint?: readonly string[] | undefined;
  readonly cmd?: readonly string[] | undefined;
  /** Added to the base's, by name. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
  /** Added to the base's, by key. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** `80`, `80/tcp`, `53/udp`; added to the base's. */
  readonly exposedPorts?: readonly string[] | undefined;
  /** Absolute paths; added to the base's. */
  readonly volumes?: readonly string[] | undefined;
  readonly stopSignal?: string | undefined;
}

type Json = Record<string, unknown>;

/** The members dray sets, in the order it writes them. */
const KNOWN = [
  "User",
  "ExposedPorts",
  "Env",
  "Entrypoint",
  "Cmd",
  "Volumes",
  "WorkingDir",
  "Labels",
  "StopSignal",
] as const;

/**
 * The `config` member of the new image. Members of the base that dray doesn't know stay as they are.
 *
 * @throws BuildError `CONFIG_INVALID`
 */
export function mergeSettings(base: Json, settings: ImageSettings): Json {
  checkSettings(settings);
  const { entrypoint, cmd, env, user, workdir, labels, exposedPorts, volumes, stopSignal } = settings;
  const merged: Json = {
    User: user ?? base["User"],
    ExposedPorts: mergeSet(base["ExposedPorts"], exposedPorts?.map(normalizePort)),
    Env: mergeEnv(base["Env"], env),
    Entrypoint: entrypoint ?? base["Entrypoint"],
    Cmd: cmd ?? (entrypoint === undefined ? base["Cmd"] : undefined),
    Volumes: mergeSet(base["Volumes"], volumes),
    WorkingDir: workdir ?? base["WorkingDir"],
    Labels: mergeMap(base["Labels"], labels),
    StopSignal: stopSignal ?? base["StopSignal"],
  };
  const result: Json = {};
  for (const key of KNOWN) {
    const value = merged[key];
    const empty = value === "" || (Array.isArray(value) && value.length === 0);
    if (value !== undefined && value !== null && !empty) result[key] = value;
  }
  const own: readonly string[] = KNOWN;
  for (const [key, value] of Object.entries(base)) if (!own.includes(key)) result[key] = value;
  return result;
}

/** Keeps the place of a variable the base has, as later ones may build on earlier ones. */
function mergeEnv(base: unknown, env: Readonly<Record<string, string>> | undefined): unknown {
  if (env === undefined) return base;
  const list = Array.isArray(base) ? base.map(String) : [];
  for (const [name, value] of Object.entries(env)) {
    const at = list.findIndex((entry) => entry.startsWith(`${name}=`) || entry === name);
    list.splice(at < 0 ? list.length : at, at < 0 ? 0 : 1, `${name}=${value}`);
  }
  return list;
}

function mergeSet(base: unknown, added: readonly string[] | undefined): unknown {
  return added === undefined ? base : mergeMap(base, Object.fromEntries(added.map((key) => [key, {}])));
}

function mergeMap(base: unknown, added: Readonly<Json> | undefined): unknown {
  if (added === undefined) return base;
  const entries = Object.entries({ ...(base as Json | undefined), ...added });
  if (entries.length === 0) return undefined;
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function normalizePort(port: string): string {
  const [, number, protocol = "tcp"] = /^([0-9]{1,5})(?:\/(tcp|udp|sctp))?$/.exec(port) ?? [];
  if (number === undefined || Number(number) < 1 || Number(number) > 65_535) {
    throw wrong("exposed port", port, "it should look like 80, 80/tcp or 53/udp");
  }
  return `${Number(number)}/${protocol}`;
}

function checkSettings(settings: ImageSettings): void {
  for (const [name, value] of Object.entries(settings.env ?? {})) {
    if (name === "" || /[=\0]/.test(name)) throw wrong("variable", name, "a name has no = and is not empty");
    if (value.includes("\0")) throw wrong("variable", name, "its value holds a NUL");
  }
  for (const arg of [...(settings.entrypoint ?? []), ...(settings.cmd ?? [])]) {
    if (arg.includes("\0")) throw wrong("argument", arg, "it holds a NUL");
  }
  for (const key of Object.keys(settings.labels ?? {})) {
    if (key === "") throw wrong("label", key, "a label has a name");
  }
  for (const volume of settings.volumes ?? []) {
    if (!volume.startsWith("/") || volume.includes("\0"))
      throw wrong("volume", volume, "it should be an absolute path");
  }
  const { workdir, user, stopSignal } = settings;
  if (workdir !== undefined && workdir !== "" && (!workdir.startsWith("/") || workdir.includes("\0"))) {
    throw wrong("working folder", workdir, "it should be an absolute path");
  }
  if (user !== undefined && !/^[^\s:\0]*(?::[^\s:\0]+)?$/.test(user)) {
    throw wrong("user", user, "it should look like name, 1000, name:group or 1000:1000");
  }
  if (stopSignal !== undefined && !/^(?:[A-Z][A-Z0-9]*(?:[+-][0-9]+)?|[0-9]{1,3})$/.test(stopSignal)) {
    throw wrong("stop signal", stopSignal, "it should look like SIGTERM or 15");
  }
}

function wrong(what: string, value: string, why: string): BuildError {
  return new BuildError(
    "CONFIG_INVALID",
    `Cannot set ${what} ${JSON.stringify(value.slice(0, 200))}: ${why}`,
  );
}

/**
 * @throws BuildError `CONFIG_INVALID`
 */
export function checkPlatform(platform: Platform): void {
  const parts = [platform.os, platform.architecture, platform.variant ?? "x"];
  if (parts.every((part) => /^[A-Za-z0-9_.-]+$/.test(part))) return;
  throw wrong("platform", `${platform.os}/${platform.architecture}`, "it should look like linux/arm64");
}
