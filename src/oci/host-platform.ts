import { OciError } from "./errors.ts";
import { type Platform } from "./platform.ts";

/** What a process knows about its machine, in Node's words. */
export interface HostFacts {
  /** `process.platform` */
  readonly platform: string;
  /** `process.arch` */
  readonly arch: string;
  /** `os.endianness()`; little by default. */
  readonly endianness?: "LE" | "BE" | undefined;
  /** `os.machine()`, asked on ARM when `cpuInfo` doesn't say. */
  readonly machine?: string | undefined;
  /** The text of `/proc/cpuinfo`, read on ARM. */
  readonly cpuInfo?: string | undefined;
  /** `os.release()`, kept on Windows. */
  readonly release?: string | undefined;
}

const OS_NAMES: Readonly<Record<string, string>> = { win32: "windows", sunos: "solaris" };
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", mipsel: "mipsle" };

/** The platform of the machine a process runs on. */
export function hostPlatform(facts: HostFacts): Platform {
  const os = OS_NAMES[facts.platform] ?? facts.platform;
  const littleEndian = facts.endianness !== "BE";
  const architecture =
    facts.arch === "ppc64" && littleEndian ? "ppc64le" : (ARCHITECTURES[facts.arch] ?? facts.arch);
  const variant = architecture.startsWith("arm") ? armVariant(facts) : undefined;
  return {
    os,
    architecture,
    ...(variant !== undefined && { variant }),
    ...(os === "windows" && facts.release !== undefined && { "os.version": facts.release }),
  };
}

/**
 * The architecture version in the name a kernel gives its machine: `8` for `aarch64`, `7` for `armv7l`, `unknown` for
 * an ARM of none that is known.
 *
 * @throws OciError `PLATFORM_INVALID` for what is no such name
 */
export function cpuVariantFromMachine(machine: string): string {
  const name = machine.toLowerCase();
  if (name === "aarch64") return "8";
  if (!name.startsWith("armv") || name.length < 5) {
    throw new OciError(
      "PLATFORM_INVALID",
      `Cannot tell the processor of machine ${JSON.stringify(machine)}: it is no ARM name`,
    );
  }
  const digit = name.charAt(4);
  return /[3-8]/.test(digit) ? digit : "unknown";
}

const CPU_VARIANTS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    v8: ["8", "aarch64"],
    v7: ["7", "7m", "?(12)", "?(13)", "?(14)", "?(15)", "?(16)", "?(17)"],
    v6: ["6", "6tej"],
    v5: ["5", "5t", "5te", "5tej"],
    v4: ["4", "4t"],
    v3: ["3"],
  }).flatMap(([variant, names]) => names.map((name) => [name, variant] as const)),
);

/** The variant in `/proc/cpuinfo`, else in the machine's name; `undefined` where neither says. */
function armVariant({ arch, cpuInfo = "", machine }: HostFacts): string | undefined {
  const stated = cpuInfoField(cpuInfo, "cpu architecture");
  if (stated !== undefined) {
    // The Raspberry Pi's kernel says 7 on processors that are only 6.
    const model = cpuInfoField(cpuInfo, "model name")?.toLowerCase() ?? "";
    if (arch === "arm" && stated === "7" && model.startsWith("armv6-compatible")) return "v6";
    return CPU_VARIANTS.get(stated.toLowerCase());
  }
  if (machine === undefined) return undefined;
  try {
    return CPU_VARIANTS.get(cpuVariantFromMachine(machine));
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

function cpuInfoField(cpuInfo: string, name: string): string | undefined {
  for (const line of cpuInfo.split("\n")) {
    const colon = line.indexOf(":");
    if (colon >= 0 && line.slice(0, colon).trim().toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return undefined;
}
