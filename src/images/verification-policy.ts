import { parseAllowlistPattern } from "./allowlist-pattern.ts";
import { ImagesError } from "./errors.ts";
import { trimImageTagDigest } from "./trim-image.ts";

/** The values of `imagePullCredentialsVerificationPolicy`. */
export const VERIFICATION_POLICIES = [
  "NeverVerify",
  "NeverVerifyPreloadedImages",
  "NeverVerifyAllowlistedImages",
  "AlwaysVerify",
] as const;

export type VerificationPolicyName = (typeof VERIFICATION_POLICIES)[number];

/** Whether a Pod has to show credentials for an image that is here already, and the rule that says so. */
export interface VerificationVerdict {
  readonly required: boolean;
  readonly because:
    | "never-verify"
    | "preloaded"
    | "pulled-by-kubelet"
    | "on-allowlist"
    | "not-on-allowlist"
    | "always-verify";
}

export interface VerificationPolicy {
  readonly name: VerificationPolicyName;
  /** @param pulledByKubelet whether a record says that we brought the image here, or began to */
  judge(image: string, pulledByKubelet: boolean): VerificationVerdict;
}

/** Names and prefixes that need no verification. Nothing is completed before matching. */
export interface Allowlist {
  readonly exact: ReadonlySet<string>;
  readonly prefixes: readonly string[];
}

/** @throws ImagesError `ALLOWLIST_PATTERN_INVALID` for the first bad pattern */
export function parseAllowlist(patterns: readonly string[]): Allowlist {
  const exact = new Set<string>();
  const prefixes: string[] = [];
  for (const pattern of patterns) {
    const { text, wildcard } = parseAllowlistPattern(pattern);
    if (wildcard) prefixes.push(text);
    else exact.add(text);
  }
  return { exact, prefixes };
}

export function isAllowlisted({ exact, prefixes }: Allowlist, image: string): boolean {
  const name = trimmedOrWhole(image);
  return exact.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

/** @throws ImagesError `POLICY_UNKNOWN`, `ALLOWLIST_PATTERN_INVALID` */
export function makeVerificationPolicy(
  name: string,
  options: { readonly allowlist?: readonly string[] | undefined } = {},
): VerificationPolicy {
  switch (name) {
    case "NeverVerify":
      return { name, judge: () => ({ required: false, because: "never-verify" }) };
    case "NeverVerifyPreloadedImages":
      return {
        name,
        judge: (_, pulledByKubelet) =>
          pulledByKubelet
            ? { required: true, because: "pulled-by-kubelet" }
            : { required: false, because: "preloaded" },
      };
    case "NeverVerifyAllowlistedImages": {
      const allowlist = parseAllowlist(options.allowlist ?? []);
      return {
        name,
        // Whoever pulled it: a listed image is open even if it was fetched with credentials.
        judge: (image) =>
          isAllowlisted(allowlist, image)
            ? { required: false, because: "on-allowlist" }
            : { required: true, because: "not-on-allowlist" },
      };
    }
    case "AlwaysVerify":
      return { name, judge: () => ({ required: true, because: "always-verify" }) };
    default:
      throw new ImagesError("POLICY_UNKNOWN", `unknown image pull credential verification policy: ${name}`);
  }
}

function trimmedOrWhole(image: string): string {
  try {
    return trimImageTagDigest(image);
  } catch (error) {
    if (error instanceof ImagesError) return image;
    throw error;
  }
}
