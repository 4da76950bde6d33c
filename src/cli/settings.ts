/** What options mean, read once. */
import { readFileSync } from "node:fs";
import { endianness, machine, release } from "node:os";
import { join, resolve } from "node:path";

import { QUANTITY_FACTORS } from "../internal/size.ts";
import { type Platform, hostPlatform, parsePlatform } from "../oci/index.ts";
import type { CommandContext } from "./context.ts";
import { UsageError } from "./errors.ts";

export function dataDir(values: { readonly "data-dir"?: string }, context: CommandContext): string {
  const given = values["data-dir"];
  // As in `--data-dir "$UNSET"`, which would otherwise fill the current folder.
  if (given === "") throw new UsageError("Option --data-dir needs a value: --data-dir DIR");
  if (given !== undefined) return resolve(context.cwd, given);
  const { env, home, uid } = context;
  const shared = env["XDG_DATA_HOME"];
  // The XDG rules make a relative path as good as none.
  if (shared?.startsWith("/") === true) return join(shared, "dray");
  return uid === 0 ? "/var/lib/dray" : join(home, ".local", "share", "dray");
}

/** The path of a unix socket, which may be written as `unix://` and a path. */
export function readSocket(text: string | undefined, option: string, cwd: string): string | undefined {
  if (text === undefined) return undefined;
  const path = text.replace(/^unix:(?:\/\/)?/, "");
  // An empty one is an unset variable, and would mean the current folder.
  if (path !== "" && !/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) return resolve(cwd, path);
  throw new UsageError(
    `Option ${option} does not take ${JSON.stringify(text)}: it is a path, such as /run/dray/cri.sock`,
  );
}

/** The platform of this machine. */
export function localPlatform(): Platform {
  const arm = process.arch.startsWith("arm");
  return hostPlatform({
    platform: process.platform,
    arch: process.arch,
    endianness: endianness(),
    release: release(),
    ...(arm && { machine: machine(), cpuInfo: readCpuInfo() }),
  });
}

/** The platform that was asked for, if one was. */
export function givenPlatform(values: { readonly platform?: string }): Platform | undefined {
  return values.platform === undefined ? undefined : parsePlatform(values.platform);
}

/** What `--platform` and `--all-platforms` ask for together; `undefined` is every platform. */
export function wantedPlatform(
  values: { readonly platform?: string; readonly "all-platforms"?: boolean },
  fallback: Platform | undefined,
): Platform | undefined {
  const given = givenPlatform(values);
  if (given !== undefined && values["all-platforms"] === true) {
    throw new UsageError("Options --platform and --all-platforms contradict each other");
  }
  return values["all-platforms"] === true ? undefined : (given ?? fallback);
}

/** A whole number from 1 up. */
export function readCount(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!/^[0-9]{1,6}$/.test(text) || count < 1) {
    throw new UsageError(
      `Option ${option} does not take ${JSON.stringify(text)}: it is a whole number from 1 up`,
    );
  }
  return count;
}

/** Bytes from `500M`, `20Gi`, `1.5G`. */
export function readSize(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const [, amount, unit = ""] = /^([0-9]{1,15}(?:\.[0-9]{1,6})?)([kMGT]?|[KMGT]i)B?$/.exec(text) ?? [];
  const factor = QUANTITY_FACTORS[unit];
  const bytes = Math.floor(Number(amount) * (factor ?? Number.NaN));
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new UsageError(
    `Option ${option} does not take ${JSON.stringify(text)}: write bytes, or 500M, 20G or 20Gi`,
  );
}

const MAX_CONNECTIONS = 64;
/** Connections that help with all blobs together, however few of them one blob may have. */
const HELPERS = 6;

/** How many connections a large blob may have; `false` for one alone. */
export function readSplit(values: {
  readonly "blob-connections"?: string;
}): { readonly connections?: number; readonly helpers?: number } | false {
  const option = "--blob-connections";
  const connections = readCount(values["blob-connections"], option);
  if (connections === undefined) return {};
  if (connections > MAX_CONNECTIONS) {
    throw new UsageError(
      `Option ${option} does not take "${connections}": it is a whole number from 1 to ${MAX_CONNECTIONS}`,
    );
  }
  return connections === 1 ? false : { connections, helpers: Math.max(HELPERS, connections - 1) };
}

/** A TCP port; 0 for any free one. */
export function readPort(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new UsageError(
      `Option ${option} does not take ${JSON.stringify(text)}: it is a port from 0 to 65535`,
    );
  }
  return Number(text);
}

const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds from `90s`, `10m`, `36h`, `7d`, `0`. */
export function readDuration(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (text === "0") return 0;
  const [, amount, unit = ""] = /^([0-9]{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  if (amount === undefined) {
    throw new UsageError(`Option ${option} does not take ${JSON.stringify(text)}: write 90s, 10m, 36h or 7d`);
  }
  return Number(amount) * (DURATIONS[unit] ?? 1);
}

function readCpuInfo(): string | undefined {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return undefined;
  }
}

/** Milliseconds for which a registry may keep silent; `undefined` for as long as it is by default. */
export function readStallTimeout(values: { readonly "stall-timeout"?: string }): number | undefined {
  const timeout = readDuration(values["stall-timeout"], "--stall-timeout");
  return timeout === 0 ? Number.POSITIVE_INFINITY : timeout;
}
