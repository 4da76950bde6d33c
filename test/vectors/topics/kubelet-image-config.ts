import {
  checkImageConfig,
  defaultImageConfig,
  type GivenImageConfig,
  type ImageConfig,
  type ImageGates,
  ImagesError,
} from "../../../src/images/index.ts";
import { formatDuration, parseDuration } from "../../../src/internal/go/duration.ts";
import { byOperation, gate, list, pick, type Topic, type Vector } from "../topic.ts";

type Members = Readonly<Record<string, unknown>>;

const AGES: readonly string[] = ["imageMinimumGCAge", "imageMaximumGCAge"];

export const topic: Topic = byOperation({
  default(vector) {
    const actual = plainConfig(
      defaultImageConfig(readGiven((vector["given"] ?? {}) as Members), gatesOf(vector)),
    );
    const expected = vector["expect"] as Members;
    const allowlist = "preloadedImagesVerificationAllowlist";
    const lists = allowlist in expected && { [allowlist]: list(expected, allowlist) };
    return { actual: pick(actual, Object.keys(expected)), expected: { ...expected, ...lists } };
  },
  validate(vector, fixtures) {
    const { validConfig } = fixtures as { readonly validConfig: Members };
    const config = completeConfig(readGiven({ ...validConfig, ...(vector["set"] as Members) }));
    const wanted = (vector["errorContains"] ?? "") as string;
    const message = messageOf(() => checkImageConfig(config, gatesOf(vector)));
    return { actual: wanted !== "" && message.includes(wanted) ? wanted : message, expected: wanted };
  },
});

function gatesOf(vector: Vector): ImageGates {
  return { ensureSecretPulled: gate(vector, "KubeletEnsureSecretPulledImages") ?? true };
}

/** Null is absent; ages are texts. */
function readGiven(given: Members): GivenImageConfig {
  const entries = Object.entries(given)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => [name, AGES.includes(name) ? parseDuration(String(value)) : value] as const);
  return Object.fromEntries(entries);
}

/** The fields as they are, zero where nothing is set: validation comes after defaulting. */
function completeConfig(given: GivenImageConfig): ImageConfig {
  return {
    serializeImagePulls: false,
    registryPullQPS: 0,
    registryBurst: 0,
    imageGCHighThresholdPercent: 0,
    imageGCLowThresholdPercent: 0,
    imageMinimumGCAge: 0n,
    imageMaximumGCAge: 0n,
    nodeStatusMaxImages: 0,
    imagePullCredentialsVerificationPolicy: "",
    preloadedImagesVerificationAllowlist: [],
    imageServiceEndpoint: "",
    maxParallelImagePulls: undefined,
    ...(given as Partial<ImageConfig>),
  };
}

function plainConfig(config: ImageConfig): Members {
  const { imageMinimumGCAge, imageMaximumGCAge, maxParallelImagePulls, ...rest } = config;
  return {
    ...rest,
    maxParallelImagePulls: maxParallelImagePulls ?? null,
    imageMinimumGCAge: formatDuration(imageMinimumGCAge),
    imageMaximumGCAge: formatDuration(imageMaximumGCAge),
  };
}

/** The message of a deliberate error, empty without one. */
function messageOf(act: () => unknown): string {
  try {
    act();
    return "";
  } catch (error) {
    if (error instanceof ImagesError) return error.message;
    throw error;
  }
}
