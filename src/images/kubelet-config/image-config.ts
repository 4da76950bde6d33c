/**
 * The image fields of `kind: KubeletConfiguration`, by their own names.
 *
 * ```yaml
 * apiVersion: kubelet.config.k8s.io/v1beta1
 * kind: KubeletConfiguration
 * serializeImagePulls: false
 * maxParallelImagePulls: 4
 * imagePullCredentialsVerificationPolicy: AlwaysVerify
 * ```
 */
import type { GoDuration } from "../../internal/go/duration.ts";

/** Fields as a document or flags set them; what is absent takes its default. */
export interface GivenImageConfig {
  readonly serializeImagePulls?: boolean | undefined;
  readonly maxParallelImagePulls?: number | undefined;
  readonly registryPullQPS?: number | undefined;
  readonly registryBurst?: number | undefined;
  readonly imageGCHighThresholdPercent?: number | undefined;
  readonly imageGCLowThresholdPercent?: number | undefined;
  readonly imageMinimumGCAge?: GoDuration | undefined;
  readonly imageMaximumGCAge?: GoDuration | undefined;
  readonly nodeStatusMaxImages?: number | undefined;
  readonly imagePullCredentialsVerificationPolicy?: string | undefined;
  readonly preloadedImagesVerificationAllowlist?: readonly string[] | undefined;
  readonly containerRuntimeEndpoint?: string | undefined;
  readonly imageServiceEndpoint?: string | undefined;
}

/** Fields with their defaults filled in. */
export interface ImageConfig {
  readonly serializeImagePulls: boolean;
  readonly maxParallelImagePulls: number | undefined;
  /** Pulls a second; 0 is no limit. */
  readonly registryPullQPS: number;
  readonly registryBurst: number;
  readonly imageGCHighThresholdPercent: number;
  readonly imageGCLowThresholdPercent: number;
  readonly imageMinimumGCAge: GoDuration;
  /** 0 is no limit. */
  readonly imageMaximumGCAge: GoDuration;
  /** -1 is all. */
  readonly nodeStatusMaxImages: number;
  readonly imagePullCredentialsVerificationPolicy: string;
  readonly preloadedImagesVerificationAllowlist: readonly string[];
  readonly imageServiceEndpoint: string;
}

/** Feature gates that these fields depend on. */
export interface ImageGates {
  /** KubeletEnsureSecretPulledImages; on by default. */
  readonly ensureSecretPulled: boolean;
}

export const DEFAULT_GATES: ImageGates = { ensureSecretPulled: true };

/** The fields that the kubelet takes as flags, too. */
export const IMAGE_FLAGS: Readonly<Partial<Record<keyof GivenImageConfig, string>>> = {
  serializeImagePulls: "--serialize-image-pulls",
  registryPullQPS: "--registry-qps",
  registryBurst: "--registry-burst",
  imageGCHighThresholdPercent: "--image-gc-high-threshold",
  imageGCLowThresholdPercent: "--image-gc-low-threshold",
  imageMinimumGCAge: "--minimum-image-ttl-duration",
  nodeStatusMaxImages: "--node-status-max-images",
  imageServiceEndpoint: "--image-service-endpoint",
};

const TWO_MINUTES = 120_000_000_000n;

export function defaultImageConfig(given: GivenImageConfig, gates: ImageGates = DEFAULT_GATES): ImageConfig {
  const parallel = given.maxParallelImagePulls;
  const policy = given.imagePullCredentialsVerificationPolicy ?? "";
  return {
    serializeImagePulls: given.serializeImagePulls ?? (parallel === undefined || parallel < 2),
    maxParallelImagePulls: parallel,
    registryPullQPS: given.registryPullQPS ?? 5,
    registryBurst: given.registryBurst || 10,
    imageGCHighThresholdPercent: given.imageGCHighThresholdPercent ?? 85,
    imageGCLowThresholdPercent: given.imageGCLowThresholdPercent ?? 80,
    imageMinimumGCAge: given.imageMinimumGCAge || TWO_MINUTES,
    imageMaximumGCAge: given.imageMaximumGCAge ?? 0n,
    nodeStatusMaxImages: given.nodeStatusMaxImages ?? 50,
    imagePullCredentialsVerificationPolicy:
      policy === "" && gates.ensureSecretPulled ? "NeverVerifyPreloadedImages" : policy,
    preloadedImagesVerificationAllowlist: given.preloadedImagesVerificationAllowlist ?? [],
    imageServiceEndpoint: given.imageServiceEndpoint || (given.containerRuntimeEndpoint ?? ""),
  };
}
