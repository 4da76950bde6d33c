import { formatDuration } from "../../internal/go/duration.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { aggregate } from "../../internal/kubernetes/field-error.ts";
import { parseAllowlistPattern } from "../allowlist-pattern.ts";
import { ImagesError } from "../errors.ts";
import { VERIFICATION_POLICIES } from "../verification-policy.ts";
import { DEFAULT_GATES, type ImageConfig, type ImageGates } from "./image-config.ts";

/** What is wrong, in the kubelet's sentences; empty for a valid configuration. */
export function findConfigFaults(config: ImageConfig, gates: ImageGates = DEFAULT_GATES): readonly string[] {
  const faults = [
    ...checkCollection(config),
    ...checkPulls(config),
    ...(gates.ensureSecretPulled ? checkVerification(config) : checkUnset(config)),
  ];
  return faults.map((fault) => `invalid configuration: ${fault}`);
}

/** @throws ImagesError `CONFIGURATION_INVALID` with all faults */
export function checkImageConfig(config: ImageConfig, gates: ImageGates = DEFAULT_GATES): ImageConfig {
  const faults = findConfigFaults(config, gates);
  if (faults.length === 0) return config;
  throw new ImagesError("CONFIGURATION_INVALID", aggregate(faults));
}

function* checkCollection(config: ImageConfig): Iterable<string> {
  const { imageGCHighThresholdPercent: high, imageGCLowThresholdPercent: low } = config;
  const { imageMinimumGCAge: min, imageMaximumGCAge: max, nodeStatusMaxImages } = config;
  const highName = "imageGCHighThresholdPercent (--image-gc-high-threshold)";
  const lowName = "imageGCLowThresholdPercent (--image-gc-low-threshold)";
  if (!isPercent(high)) yield `${highName} ${high} must be between 0 and 100, inclusive`;
  if (!isPercent(low)) yield `${lowName} ${low} must be between 0 and 100, inclusive`;
  if (low >= high) yield `${lowName} ${low} must be less than ${highName} ${high}`;
  if (min < 0n) yield `imageMinimumGCAge ${formatDuration(min)} must not be negative`;
  if (max < 0n) yield `imageMaximumGCAge ${formatDuration(max)} must not be negative`;
  if (max > 0n && max <= min) {
    yield `imageMaximumGCAge ${formatDuration(max)} must be greater than imageMinimumGCAge ${formatDuration(min)}`;
  }
  if (nodeStatusMaxImages < -1) {
    yield `nodeStatusMaxImages (--node-status-max-images) ${nodeStatusMaxImages} must be -1 or greater`;
  }
}

function* checkPulls(config: ImageConfig): Iterable<string> {
  const { maxParallelImagePulls: parallel, serializeImagePulls, registryBurst, registryPullQPS } = config;
  if (parallel !== undefined && parallel < 1)
    yield `maxParallelImagePulls ${parallel} must be a positive number`;
  if (serializeImagePulls && parallel !== undefined && parallel > 1) {
    yield "maxParallelImagePulls cannot be larger than 1 unless SerializeImagePulls (--serialize-image-pulls) is set to false";
  }
  if (registryBurst < 0)
    yield `registryBurst (--registry-burst) ${registryBurst} must not be a negative number`;
  if (registryPullQPS < 0)
    yield `registryPullQPS (--registry-qps) ${registryPullQPS} must not be a negative number`;
}

function* checkVerification(config: ImageConfig): Iterable<string> {
  const policy = config.imagePullCredentialsVerificationPolicy;
  const allowlist = config.preloadedImagesVerificationAllowlist;
  const known: readonly string[] = VERIFICATION_POLICIES;
  if (!known.includes(policy)) {
    const names = VERIFICATION_POLICIES.map(goQuote);
    const valid = `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
    yield `option ${goQuote(policy)} specified for imagePullCredentialsVerificationPolicy. Valid options are ${valid}`;
  }
  if (allowlist.length === 0) return;
  if (policy !== "NeverVerifyAllowlistedImages") {
    // The kubelet misspells its own option here.
    yield 'can\'t set `preloadedImagesVerificationAllowlist` if `imagePullCredentialsVertificationPolicy` is not "NeverVerifyAllowlistedImages"';
    return;
  }
  const fault = firstBadPattern(allowlist);
  if (fault !== undefined)
    yield `invalid image pattern in \`preloadedImagesVerificationAllowlist\`: ${fault}`;
}

function* checkUnset(config: ImageConfig): Iterable<string> {
  const rule = "must not be set if KubeletEnsureSecretPulledImages feature gate is not enabled";
  if (config.imagePullCredentialsVerificationPolicy !== "")
    yield `\`imagePullCredentialsVerificationPolicy\` ${rule}`;
  if (config.preloadedImagesVerificationAllowlist.length > 0) {
    yield `\`preloadedImagesVerificationAllowlist\` ${rule}`;
  }
}

function firstBadPattern(patterns: readonly string[]): string | undefined {
  for (const pattern of patterns) {
    try {
      parseAllowlistPattern(pattern);
    } catch (error) {
      if (error instanceof ImagesError) return error.message;
      throw error;
    }
  }
  return undefined;
}

function isPercent(value: number): boolean {
  return value >= 0 && value <= 100;
}
