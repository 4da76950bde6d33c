/** What `crictl inspecti` shows of an image beyond its status: its config, as Go's structures write it again. */
import { createHash } from "node:crypto";

import { encodeJson, type GoJson } from "../internal/go/json-encode.ts";
import type { ContainerConfig, HistoryEntry, ImageConfig } from "../oci/index.ts";

/** What an artifact's config comes to, whatever is in it. */
const NOTHING: GoJson = {
  chainID: "",
  imageSpec: { architecture: "", os: "", config: {}, rootfs: { type: "", diff_ids: null } },
};

/**
 * Members that say nothing are left out, maps are sorted, and what OCI doesn't know isn't there. An artifact has no
 * config that an image's reader knows.
 */
export function describeImage(config: ImageConfig | undefined): string {
  if (config === undefined) return encodeJson(NOTHING);
  const { platform, diffIds } = config;
  return encodeJson({
    chainID: chainId(diffIds),
    imageSpec: {
      created: goTime(config.created),
      author: present(config.author),
      architecture: platform.architecture,
      os: platform.os,
      "os.version": present(platform["os.version"]),
      "os.features": list(platform["os.features"]),
      variant: present(platform.variant),
      config: describeContainer(config.config),
      rootfs: { type: "layers", diff_ids: diffIds },
      history: config.history.length === 0 ? undefined : config.history.map(describeStep),
    },
  });
}

/** The digest that stands for a stack of layers: each is hashed with what is below it. */
export function chainId(diffIds: readonly string[]): string {
  return diffIds.reduce((below, diffId) => {
    if (below === "") return diffId;
    return `sha256:${createHash("sha256").update(`${below} ${diffId}`).digest("hex")}`;
  }, "");
}

function describeContainer(config: ContainerConfig): GoJson {
  return {
    User: present(config.user),
    ExposedPorts: set(config.exposedPorts),
    Env: list(config.env),
    Entrypoint: list(config.entrypoint),
    Cmd: list(config.cmd),
    Volumes: set(config.volumes),
    WorkingDir: present(config.workingDir),
    Labels: map(config.labels),
    StopSignal: present(config.stopSignal),
    ArgsEscaped: config.argsEscaped === true ? true : undefined,
  };
}

function describeStep(step: HistoryEntry): GoJson {
  return {
    created: goTime(step.created),
    created_by: present(step.createdBy),
    author: present(step.author),
    comment: present(step.comment),
    empty_layer: step.emptyLayer ? true : undefined,
  };
}

function present(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function list(items: readonly string[] | undefined): readonly string[] | undefined {
  return items === undefined || items.length === 0 ? undefined : items;
}

function set(names: readonly string[] | undefined): GoJson | undefined {
  return names === undefined || names.length === 0 ? undefined : new Map(names.map((name) => [name, {}]));
}

function map(labels: Readonly<Record<string, string>> | undefined): GoJson | undefined {
  const entries = Object.entries(labels ?? {});
  return entries.length === 0 ? undefined : new Map(entries);
}

/** Go writes a time with the fraction it needs: nine digits at most, and no zeros at their end. */
function goTime(text: string | undefined): string | undefined {
  const [, time, fraction = "", zone] =
    /^(.+[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?(Z|[+-][0-9]{2}:[0-9]{2})$/.exec(text ?? "") ?? [];
  if (time === undefined || zone === undefined) return present(text);
  const digits = fraction.slice(0, 9).replace(/0+$/, "");
  return `${time}${digits === "" ? "" : `.${digits}`}${zone.slice(1) === "00:00" ? "Z" : zone}`;
}
