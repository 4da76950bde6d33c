/**
 * Platforms as go-containerregistry, and so crane, reads them: `os/architecture[/variant][:version]`, every part as it
 * is written, all of them optional.
 */
import { type Descriptor } from "./descriptor.ts";
import { OciError } from "./errors.ts";
import { type Index } from "./manifest.ts";

export interface CranePlatform {
  readonly os?: string;
  readonly architecture?: string;
  readonly variant?: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
  readonly features?: readonly string[];
}

const TEXTS = ["os", "architecture", "variant", "os.version"] as const;
const LISTS = ["os.features", "features"] as const;

/** @throws OciError `PLATFORM_INVALID` for more than three parts between slashes */
export function parseCranePlatform(text: string): CranePlatform {
  const [named = "", ...versions] = text.trim().split(":");
  const parts = named.split("/");
  if (parts.length > 3) {
    throw new OciError(
      "PLATFORM_INVALID",
      `Cannot read platform ${JSON.stringify(text.slice(0, 100))}: it has more than three parts`,
    );
  }
  const [os = "", architecture = "", variant = ""] = parts;
  const version = versions.length === 1 ? (versions[0] ?? "") : "";
  return {
    ...(os !== "" && { os }),
    ...(architecture !== "" && { architecture }),
    ...(variant !== "" && { variant }),
    ...(version !== "" && { "os.version": version }),
  };
}

/** Features are not written; without an OS there is nothing to write. */
export function formatCranePlatform(platform: CranePlatform): string {
  const { os = "", architecture = "", variant = "" } = platform;
  const version = platform["os.version"] ?? "";
  if (os === "") return "";
  return [os, architecture, variant].filter((part) => part !== "").join("/") + (version && `:${version}`);
}

/** Whether both say the same, features in any order. */
export function equalsCranePlatform(a: CranePlatform, b: CranePlatform): boolean {
  return (
    TEXTS.every((name) => (a[name] ?? "") === (b[name] ?? "")) &&
    LISTS.every((name) => sorted(a[name]) === sorted(b[name]))
  );
}

/** Whether `have` has all that `required` states. */
export function satisfiesCranePlatform(have: CranePlatform, required: CranePlatform): boolean {
  return (
    TEXTS.every((name) => (required[name] ?? "") === "" || required[name] === have[name]) &&
    LISTS.every((name) => (required[name] ?? []).every((feature) => have[name]?.includes(feature) === true))
  );
}

/**
 * The first entry of an index for a platform, as crane chooses: OS and architecture must be equal, the rest as far as
 * it is required, and an entry without platform is one for linux/amd64.
 */
export function selectCranePlatform(
  index: Pick<Index, "manifests">,
  required: CranePlatform = { os: "linux", architecture: "amd64" },
): Descriptor | undefined {
  return index.manifests.find(({ platform }) => {
    const have: CranePlatform = platform ?? { os: "linux", architecture: "amd64" };
    return (
      (have.os ?? "") === (required.os ?? "") &&
      (have.architecture ?? "") === (required.architecture ?? "") &&
      satisfiesCranePlatform(have, required)
    );
  });
}

function sorted(list: readonly string[] = []): string {
  return JSON.stringify(list.toSorted());
}
