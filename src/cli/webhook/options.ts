/** The options of `dray webhook`, and the settings they and a file make together. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import type { PinFailure } from "../../admission/index.ts";
import type { CommandContext } from "../context.ts";
import type { AdmissionSettings, PinningSettings, PolicySettings } from "./settings-file.ts";
import { readAdmissionSettings } from "./settings-file.ts";

/** What admission does; beside `--config`, each adds to what the file says. */
export const ADMISSION_OPTIONS = {
  config: { type: "string", value: "FILE", summary: "Read what to do with images from this YAML file" },
  "always-pull-images": {
    type: "boolean",
    summary: "Set imagePullPolicy Always on every new Pod, as the plugin AlwaysPullImages",
  },
  pin: { type: "boolean", summary: "Pin tags to digests in Pods and all Pod templates" },
  "pin-on-failure": {
    type: "string",
    value: "WHAT",
    choices: ["refuse", "last-known", "admit"],
    summary: "When a digest can't be had: refuse, last-known or admit; refuse by default",
  },
  allow: {
    type: "string",
    value: "PATTERN",
    multiple: true,
    summary: "Allow these images alone: registry.example.com, docker.io/library/*, ghcr.io/team/**",
  },
  deny: { type: "string", value: "PATTERN", multiple: true, summary: "Refuse these images" },
  "forbid-latest": { type: "boolean", summary: "Refuse images without a tag, and the tag latest" },
  "require-digest": { type: "boolean", summary: "Refuse images without a digest" },
  "warn-only": { type: "boolean", summary: "Warn about what policies would refuse" },
  "exempt-namespace": {
    type: "string",
    value: "NAME",
    multiple: true,
    summary: "Ask nothing of images in this namespace",
  },
} as const;

export interface AdmissionValues {
  readonly config?: string;
  readonly "always-pull-images"?: boolean;
  readonly pin?: boolean;
  readonly "pin-on-failure"?: string;
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly "forbid-latest"?: boolean;
  readonly "require-digest"?: boolean;
  readonly "warn-only"?: boolean;
  readonly "exempt-namespace"?: readonly string[];
}

/** @throws CliError `SETTINGS_INVALID`, or the system's error for a file that can't be read */
export async function admissionSettings(
  values: AdmissionValues,
  context: Pick<CommandContext, "cwd">,
): Promise<AdmissionSettings> {
  const { config } = values;
  const file: AdmissionSettings =
    config === undefined
      ? { alwaysPullImages: false }
      : readAdmissionSettings(await readFile(resolve(context.cwd, config), "utf8"), config);
  return {
    ...file,
    alwaysPullImages: values["always-pull-images"] ?? file.alwaysPullImages,
    pinning: pinningOf(values, file.pinning),
    policy: policyOf(values, file.policy),
  };
}

function pinningOf(values: AdmissionValues, file: PinningSettings | undefined): PinningSettings | undefined {
  const onFailure = values["pin-on-failure"] as PinFailure | undefined;
  if (file === undefined && values.pin !== true && onFailure === undefined) return undefined;
  return { registries: [], ...file, ...(onFailure !== undefined && { onFailure }) };
}

function policyOf(values: AdmissionValues, file: PolicySettings | undefined): PolicySettings | undefined {
  const { allow = [], deny = [] } = values;
  const asked =
    allow.length + deny.length > 0 || values["forbid-latest"] === true || values["require-digest"] === true;
  if (file === undefined && !asked) return undefined;
  return {
    mode: values["warn-only"] === true ? "warn" : file?.mode,
    allowed: [...(file?.allowed ?? []), ...allow],
    denied: [...(file?.denied ?? []), ...deny],
    forbidLatest: values["forbid-latest"] ?? file?.forbidLatest ?? false,
    requireDigest: values["require-digest"] ?? file?.requireDigest ?? false,
    exemptNamespaces: [...(file?.exemptNamespaces ?? []), ...(values["exempt-namespace"] ?? [])],
  };
}
