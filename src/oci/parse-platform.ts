import { OciError } from "./errors.ts";
import { normalizeArchitecture, normalizeOs, type Platform } from "./platform.ts";

export interface ParsePlatformOptions {
  /** What a lone OS or architecture is completed with. Without it, such a specifier is refused. */
  readonly host?: Platform | undefined;
}

const KNOWN_OS: ReadonlySet<string> = new Set(
  (
    "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows " +
    "zos"
  ).split(" "),
);
const KNOWN_ARCHITECTURES: ReadonlySet<string> = new Set(
  (
    "386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 " +
    "mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm"
  ).split(" "),
);

const OS_PART = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$/;
const PART = /^[A-Za-z0-9_.-]+$/;

/** Longer texts name no platform, and are not worth a look. */
const MAX_LENGTH = 1024;

/**
 * Reads `os[(version+feature…)][/architecture[/variant]]`, or an architecture alone.
 *
 * @throws OciError `PLATFORM_INVALID`
 */
export function parsePlatform(text: string, options: ParsePlatformOptions = {}): Platform {
  const parts = text.length > MAX_LENGTH ? [] : text.split("/", 4);
  const [first = "", architecture, variant] = parts;
  const match = OS_PART.exec(first);
  if (match === null || parts.length > 3 || !parts.slice(1).every((part) => PART.test(part))) {
    throw invalid(
      text,
      text.includes("*") ? "wildcards match nothing" : 'it should look like "linux/arm64/v8"',
    );
  }
  const os = { os: normalizeOs(match[1] ?? ""), ...readDetails(text, match) };
  if (architecture === undefined) return complete(text, os, options.host);
  const normal = normalizeArchitecture(architecture, variant ?? "");
  if (variant !== undefined) {
    const full = normal.architecture === "arm64" && normal.variant === "" ? "v8" : normal.variant;
    return platformOf(os, normal.architecture, full);
  }
  return platformOf(os, normal.architecture, impliedVariant(normal));
}

type Os = Omit<Platform, "architecture" | "variant">;

/** A lone word is an operating system if it is known as one, else an architecture. */
function complete(text: string, os: Os, host: Platform | undefined): Platform {
  const normal = normalizeArchitecture(text, "");
  const isOs = KNOWN_OS.has(os.os);
  if (!isOs && !KNOWN_ARCHITECTURES.has(normal.architecture)) {
    throw invalid(text, "it is no operating system or architecture that is known");
  }
  if (host === undefined) throw invalid(text, 'both are needed, as in "linux/amd64"');
  if (!isOs) return platformOf({ ...os, os: host.os }, normal.architecture, impliedVariant(normal));
  const variant = host.architecture === "arm" && host.variant !== "v7" ? (host.variant ?? "") : "";
  return platformOf(os, host.architecture, variant);
}

/** What nobody wrote stays unwritten where it is the usual: plain `arm` is v7, and `armel` still says v6. */
function impliedVariant({ architecture, variant }: { architecture: string; variant: string }): string {
  return architecture === "arm" && variant === "v7" ? "" : variant;
}

function platformOf(os: Os, architecture: string, variant: string): Platform {
  return { ...os, architecture, ...(variant !== "" && { variant }) };
}

function readDetails(text: string, match: RegExpExecArray): Omit<Os, "os"> {
  const version = decode(text, match[2] ?? "");
  const features = (match[3] ?? "").split("+").slice(1);
  return {
    ...(version !== "" && { "os.version": version }),
    ...(features.length > 0 && { "os.features": features.map((feature) => decode(text, feature)) }),
  };
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid(text, "it has a broken percent escape");
  }
}

function invalid(text: string, why: string): OciError {
  const shown = text.length <= 100 ? text : `${text.slice(0, 97)}...`;
  return new OciError("PLATFORM_INVALID", `Cannot read platform ${JSON.stringify(shown)}: ${why}`);
}
