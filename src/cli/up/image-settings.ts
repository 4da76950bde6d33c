import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import {
  checkImageConfig,
  DEFAULT_GATES,
  defaultImageConfig,
  type GivenImageConfig,
  type ImageConfig,
  type ImageGates,
  parseKubeletConfig,
} from "../../images/index.ts";
import { parseDuration } from "../../internal/go/duration.ts";
import { GoError } from "../../internal/go/errors.ts";
import type { OptionValues } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";

/** The image fields of a kubelet's configuration, one option each; the kubelet's own names where it has flags. */
export const IMAGE_OPTIONS = {
  config: {
    type: "string",
    value: "FILE",
    summary: "Take the image fields of this KubeletConfiguration; options say more than it",
  },
  "serialize-image-pulls": {
    type: "string",
    value: "true|false",
    choices: ["true", "false"],
    summary: "Pull one image at a time; true unless --max-parallel-pulls is 2 or more",
  },
  "max-parallel-pulls": {
    type: "string",
    value: "NUMBER",
    summary: "Images pulled at a time: maxParallelImagePulls",
  },
  "registry-qps": {
    type: "string",
    value: "NUMBER",
    summary: "Pulls that may begin in a second; 5 by default, 0 for any number",
  },
  "registry-burst": {
    type: "string",
    value: "NUMBER",
    summary: "Pulls that may begin at once; 10 by default",
  },
  "image-gc-high-threshold": {
    type: "string",
    value: "PERCENT",
    summary:
      "Collect images when the disk is fuller; 85 once any of these four is given, else none is collected",
  },
  "image-gc-low-threshold": {
    type: "string",
    value: "PERCENT",
    summary: "Collect until the disk is no fuller; 80 by default",
  },
  "minimum-image-ttl-duration": {
    type: "string",
    value: "DURATION",
    summary: "Keep images at least so long; 2m by default",
  },
  "maximum-image-ttl-duration": {
    type: "string",
    value: "DURATION",
    summary: "Collect images unused for so long: imageMaximumGCAge; 0, the default, for never",
  },
  "node-status-max-images": {
    type: "string",
    value: "NUMBER",
    summary:
      "Images that dray status lists, the largest first; 50 by default, -1 for all: nodeStatusMaxImages",
  },
  "verification-policy": {
    type: "string",
    value: "POLICY",
    choices: ["NeverVerify", "NeverVerifyPreloadedImages", "NeverVerifyAllowlistedImages", "AlwaysVerify"],
    summary: "Who has to prove credentials for images that are here: imagePullCredentialsVerificationPolicy",
  },
  "verification-allowlist": {
    type: "string",
    value: "PATTERN",
    multiple: true,
    summary:
      "Images anybody may use, under NeverVerifyAllowlistedImages: preloadedImagesVerificationAllowlist",
  },
  backoff: {
    type: "string",
    value: "MODE",
    choices: ["kubelet", "recover"],
    summary:
      "recover: a mended Secret, node file or provider configuration ends the back-off, and Retry-After is honoured",
  },
  "pull-fallback": {
    type: "string",
    value: "WHAT",
    choices: ["none", "present"],
    summary: "present: policy Always uses the image that is here when its registry can't be reached",
  },
  "pull-order": {
    type: "string",
    value: "ORDER",
    choices: ["arrival", "priority"],
    summary: "priority: by Pod priority, then small images first; containers of a Pod side by side",
  },
  "max-byte-rate": {
    type: "string",
    value: "BYTES",
    summary: "Bytes a second for all pulls together, such as 500k or 20M; no limit by default",
  },
} as const;

/** What a kubelet has no settings for; all of it is off unless somebody asks. */
export interface PullExtras {
  readonly backOffMode?: "kubelet" | "recover" | undefined;
  readonly pullFallback?: "none" | "present" | undefined;
  readonly pullOrder?: "arrival" | "priority" | undefined;
  readonly bytesPerSecond?: number | undefined;
}

export interface ImageSettings {
  readonly config: ImageConfig;
  readonly gates: ImageGates;
  /** Whether anything was said of collection: a machine that isn't a node's alone isn't tidied unasked. */
  readonly collects: boolean;
  readonly extras: PullExtras;
}

/** A kubelet's settings without a file. */
export function defaultImageSettings(): ImageSettings {
  return { config: defaultImageConfig({}), gates: DEFAULT_GATES, collects: false, extras: {} };
}

/**
 * What the file and the options say together, checked as the kubelet checks it.
 *
 * @throws ImagesError `CONFIGURATION_INVALID`, UsageError, or the system's error for the file
 */
export async function readImageSettings(
  values: OptionValues<typeof IMAGE_OPTIONS>,
  context: CommandContext,
): Promise<ImageSettings> {
  const path = values.config;
  const document =
    path === undefined
      ? { given: {}, gates: DEFAULT_GATES }
      : parseKubeletConfig(await readFile(resolve(context.cwd, path), "utf8"));
  const given = { ...document.given, ...withoutAbsent(readFlags(values)) };
  const config = checkImageConfig(defaultImageConfig(given, document.gates), document.gates);
  const collects = COLLECTION.some((name) => given[name] !== undefined);
  return { config, gates: document.gates, collects, extras: readExtras(values) };
}

function readExtras(values: OptionValues<typeof IMAGE_OPTIONS>): PullExtras {
  // The choices of the options are exactly these.
  return {
    backOffMode: values.backoff as PullExtras["backOffMode"],
    pullFallback: values["pull-fallback"] as PullExtras["pullFallback"],
    pullOrder: values["pull-order"] as PullExtras["pullOrder"],
    bytesPerSecond: readBytes(values["max-byte-rate"], "--max-byte-rate"),
  };
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1000, M: 1_000_000, G: 1_000_000_000 };

function readBytes(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const [, amount, unit = ""] = /^([1-9][0-9]{0,11})([kMG]?)$/.exec(text) ?? [];
  if (amount !== undefined) return Number(amount) * (UNITS[unit] ?? 1);
  throw new UsageError(
    `Option ${option} does not take ${JSON.stringify(text)}: write 65536, 500k or 20M`,
    "up",
  );
}

const COLLECTION = [
  "imageGCHighThresholdPercent",
  "imageGCLowThresholdPercent",
  "imageMinimumGCAge",
  "imageMaximumGCAge",
] as const satisfies readonly (keyof GivenImageConfig)[];

function readFlags(values: OptionValues<typeof IMAGE_OPTIONS>): GivenImageConfig {
  const serialize = values["serialize-image-pulls"];
  return {
    serializeImagePulls: serialize === undefined ? undefined : serialize === "true",
    maxParallelImagePulls: readInteger(values["max-parallel-pulls"], "--max-parallel-pulls"),
    registryPullQPS: readInteger(values["registry-qps"], "--registry-qps"),
    registryBurst: readInteger(values["registry-burst"], "--registry-burst"),
    imageGCHighThresholdPercent: readInteger(values["image-gc-high-threshold"], "--image-gc-high-threshold"),
    imageGCLowThresholdPercent: readInteger(values["image-gc-low-threshold"], "--image-gc-low-threshold"),
    imageMinimumGCAge: readGoDuration(values["minimum-image-ttl-duration"], "--minimum-image-ttl-duration"),
    imageMaximumGCAge: readGoDuration(values["maximum-image-ttl-duration"], "--maximum-image-ttl-duration"),
    nodeStatusMaxImages: readInteger(values["node-status-max-images"], "--node-status-max-images"),
    imagePullCredentialsVerificationPolicy: values["verification-policy"],
    preloadedImagesVerificationAllowlist: values["verification-allowlist"],
  };
}

function withoutAbsent(given: GivenImageConfig): GivenImageConfig {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** Whether it is in range is for the configuration's own check to say. */
function readInteger(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (/^-?[0-9]{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`Option ${option} does not take ${JSON.stringify(text)}: it is a whole number`, "up");
}

function readGoDuration(text: string | undefined, option: string): bigint | undefined {
  try {
    return text === undefined ? undefined : parseDuration(text);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new UsageError(
      `Option ${option} does not take ${JSON.stringify(text)}: write 90s, 10m or 36h`,
      "up",
    );
  }
}
