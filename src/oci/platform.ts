/** An operating system and processor, with image-spec's member names. An absent member is unknown, not "any". */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
}

/**
 * The one spelling of a platform: lower case, common synonyms replaced, a processor's base variant left out
 * (`arm64/v8` is `arm64`, but `arm` is `arm/v7`), features sorted. An empty OS means Linux, as containers do.
 */
export function normalizePlatform(platform: Platform): Platform {
  const { architecture, variant } = normalizeArchitecture(platform.architecture, platform.variant ?? "");
  const version = platform["os.version"] ?? "";
  const features = platform["os.features"] ?? [];
  return {
    os: normalizeOs(platform.os),
    architecture,
    ...(variant !== "" && { variant }),
    ...(version !== "" && { "os.version": version }),
    ...(features.length > 0 && { "os.features": sortedFeatures(features) }),
  };
}

export function normalizeOs(os: string): string {
  const lower = os.toLowerCase();
  return lower === "" ? "linux" : lower === "macos" ? "darwin" : lower;
}

const BASE_VARIANTS: ReadonlyMap<string, string> = new Map([
  ["amd64/v1", ""],
  ["arm64/8", ""],
  ["arm64/v8", ""],
  ["arm64/v8.0", ""],
  ["arm64/9", "v9"],
  ["arm64/9.0", "v9"],
  ["arm64/v9.0", "v9"],
  ["arm/", "v7"],
  ["arm/5", "v5"],
  ["arm/6", "v6"],
  ["arm/7", "v7"],
  ["arm/8", "v8"],
]);

/** What machines call themselves. Three of the names say the variant, too, whatever stands beside them. */
const SYNONYMS: ReadonlyMap<string, { readonly architecture: string; readonly variant?: string }> = new Map([
  ["i386", { architecture: "386", variant: "" }],
  ["x86_64", { architecture: "amd64" }],
  ["x86-64", { architecture: "amd64" }],
  ["aarch64", { architecture: "arm64" }],
  ["armhf", { architecture: "arm", variant: "v7" }],
  ["armel", { architecture: "arm", variant: "v6" }],
]);

/** Architecture and variant in their one spelling; an empty variant is the architecture's base. */
export function normalizeArchitecture(
  architecture: string,
  variant: string,
): { readonly architecture: string; readonly variant: string } {
  const lower = architecture.toLowerCase();
  const synonym = SYNONYMS.get(lower);
  const name = synonym?.architecture ?? lower;
  const given = synonym?.variant ?? variant.toLowerCase();
  return { architecture: name, variant: BASE_VARIANTS.get(`${name}/${given}`) ?? given };
}

/** `os/architecture/variant`, empty parts left out; `unknown` without an OS. */
export function formatPlatform(platform: Platform): string {
  if (platform.os === "") return "unknown";
  return join(platform.os, platform);
}

/** {@link formatPlatform} with the OS's version and features: `windows(10.0.20348+win32k)/amd64`. */
export function formatFullPlatform(platform: Platform): string {
  if (platform.os === "") return "unknown";
  const version = escapePart(platform["os.version"] ?? "");
  const features = sortedFeatures(platform["os.features"] ?? []).map((feature) => `+${escapePart(feature)}`);
  const details = version + features.join("");
  return join(details === "" ? platform.os : `${platform.os}(${details})`, platform);
}

function join(os: string, { architecture, variant = "" }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== "").join("/");
}

function escapePart(text: string): string {
  return text.replace(/[%+()/]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function sortedFeatures(features: readonly string[]): readonly string[] {
  return [...new Set(features)].filter((feature) => feature !== "").toSorted();
}
