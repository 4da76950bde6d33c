import { toMilliseconds } from "../../internal/go/duration.ts";
import type { GcPolicy } from "../garbage/gc-policy.ts";
import { makeVerificationPolicy, type VerificationPolicy } from "../verification-policy.ts";
import type { ImageConfig } from "./image-config.ts";

/** How many pulls run at once, and how often one may begin. */
export function pullLimits(config: ImageConfig): {
  readonly maxParallelPulls: number;
  readonly rate: { readonly qps: number; readonly burst: number };
} {
  const { maxParallelImagePulls: most = 0 } = config;
  const parallel = most < 1 ? Number.POSITIVE_INFINITY : most;
  return {
    maxParallelPulls: config.serializeImagePulls ? 1 : parallel,
    rate: { qps: config.registryPullQPS, burst: config.registryBurst },
  };
}

export function gcPolicyOf(config: ImageConfig): GcPolicy {
  return {
    highThresholdPercent: config.imageGCHighThresholdPercent,
    lowThresholdPercent: config.imageGCLowThresholdPercent,
    minAge: toMilliseconds(config.imageMinimumGCAge),
    maxAge: toMilliseconds(config.imageMaximumGCAge),
  };
}

/** @throws ImagesError for a configuration that wasn't checked */
export function verificationPolicyOf(config: ImageConfig): VerificationPolicy {
  return makeVerificationPolicy(config.imagePullCredentialsVerificationPolicy, {
    allowlist: config.preloadedImagesVerificationAllowlist,
  });
}
