/** The chain of plugins that settings ask for. */
import {
  type AdmissionPlugin,
  allowedImages,
  alwaysPullImages,
  type DigestMemory,
  forbidLatest,
  imagePolicy,
  type ImageRule,
  pinDigests,
  requireDigest,
} from "../../admission/index.ts";
import type { AdmissionSettings, PolicySettings } from "./settings-file.ts";

export interface AdmissionChain {
  readonly alwaysPull?: AdmissionPlugin | undefined;
  readonly pin?: AdmissionPlugin | undefined;
  readonly policy?: AdmissionPlugin | undefined;
  /** All of them, in the order of the API server. */
  readonly all: readonly AdmissionPlugin[];
}

/**
 * @param digests what knows digests; needed where the settings ask for pinning
 * @throws AdmissionError for patterns that are none
 */
export function admissionChain(
  settings: AdmissionSettings,
  { digests }: { readonly digests?: DigestMemory | undefined } = {},
): AdmissionChain {
  const alwaysPull = settings.alwaysPullImages ? alwaysPullImages : undefined;
  const { pinning, policy: rules } = settings;
  const pin =
    pinning === undefined || digests === undefined
      ? undefined
      : pinDigests({ digests, rules: pinning.registries, onFailure: pinning.onFailure });
  const policy = rules && policyOf(rules);
  const all = [alwaysPull, pin, policy].filter((plugin) => plugin !== undefined);
  return { alwaysPull, pin, policy, all };
}

function policyOf(settings: PolicySettings): AdmissionPlugin {
  const { allowed, denied, mode, exemptNamespaces } = settings;
  const rules: ImageRule[] = [];
  if (allowed.length + denied.length > 0) rules.push(allowedImages(allowed, denied));
  if (settings.forbidLatest) rules.push(forbidLatest);
  if (settings.requireDigest) rules.push(requireDigest);
  return imagePolicy({ rules, warnOnly: mode === "warn", exemptNamespaces });
}
