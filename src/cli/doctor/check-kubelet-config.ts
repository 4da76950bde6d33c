import { readFile } from "node:fs/promises";

import {
  DEFAULT_GATES,
  defaultImageConfig,
  findConfigFaults,
  type ImageConfig,
  ImagesError,
  parseKubeletConfig,
} from "../../images/index.ts";
import { yaml } from "../../internal/yaml.ts";
import { QUANTITY_FACTORS } from "../../internal/size.ts";
import type { DiskPolicy } from "./check-disk.ts";
import type { Findings } from "./finding.ts";
import { lookAt } from "./look.ts";

const AREA = "kubelet configuration";

export interface KubeletSettings {
  readonly config: ImageConfig;
  /** Of containerRuntimeEndpoint and imageServiceEndpoint, as paths. */
  readonly sockets: readonly string[];
  readonly disk: DiskPolicy;
}

/** Goes on with defaults where nothing else can be known. */
export async function checkKubeletConfig(
  findings: Findings,
  { path, named }: { readonly path: string; readonly named: boolean },
): Promise<KubeletSettings> {
  const defaults = settingsOf(defaultImageConfig({}, DEFAULT_GATES), [], "");
  const look = await lookAt(path);
  if (look.state === "missing") {
    const what = "There is no such file";
    const mend = "Correct --kubelet-config";
    if (named) findings.add("KUBELET_CONFIG_UNREADABLE", { where: path, what, mend });
    else findings.missed(AREA, `${path}: there is none; the kubelet's defaults are assumed`);
    return defaults;
  }
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "EIO";
    findings.missed(AREA, `${path}: it can't be read (${code}); the kubelet's defaults are assumed`);
    return defaults;
  }
  try {
    const { given, gates } = parseKubeletConfig(text);
    const config = defaultImageConfig(given, gates);
    const faults = findConfigFaults(config, gates);
    for (const what of faults) {
      findings.add("KUBELET_CONFIG_INVALID", {
        where: path,
        what,
        mend: "Correct the field, then restart the kubelet",
      });
    }
    findings.saw(AREA, path);
    if (faults.length === 0) noteSettings(findings, config, path);
    const sockets = [given.containerRuntimeEndpoint, given.imageServiceEndpoint].flatMap((endpoint) =>
      endpoint === undefined || endpoint === "" ? [] : [endpoint.replace(/^unix:(?:\/\/)?/, "")],
    );
    return settingsOf(config, [...new Set(sockets)], text);
  } catch (error) {
    if (!(error instanceof ImagesError)) throw error;
    const mend = "Correct the file, then restart the kubelet";
    findings.add("KUBELET_CONFIG_INVALID", { where: path, what: error.message, mend });
    return defaults;
  }
}

function noteSettings(findings: Findings, config: ImageConfig, where: string): void {
  if (config.imageGCHighThresholdPercent === 100 && config.imageMaximumGCAge === 0n) {
    const what = "imageGCHighThresholdPercent is 100, and imageMaximumGCAge isn't set";
    findings.add("IMAGE_GC_OFF", {
      where,
      what,
      mend: "Set a threshold, unless somebody else deletes images",
    });
  }
  if (config.serializeImagePulls) {
    const what = "serializeImagePulls is true, as it is by default: one slow pull holds up all others";
    const mend = "Set serializeImagePulls: false and maxParallelImagePulls: 5";
    findings.add("PULLS_ONE_BY_ONE", { where, what, mend });
  }
}

/** The kubelet's own, where `evictionHard` isn't set. */
const EVICTION: Readonly<Record<string, string>> = {
  "imagefs.available": "15%",
  "imagefs.inodesFree": "5%",
  "nodefs.available": "10%",
  "nodefs.inodesFree": "5%",
};

function settingsOf(config: ImageConfig, sockets: readonly string[], text: string): KubeletSettings {
  const given = readEviction(text);
  const eviction: DiskPolicy["eviction"] = (signal, capacity) =>
    amountOf(given?.[signal] ?? (given === undefined ? EVICTION[signal] : undefined), capacity);
  return { config, sockets, disk: { highThreshold: config.imageGCHighThresholdPercent, eviction } };
}

/** Once any of it is set, the rest has no default, unless defaults are to be merged in. */
function readEviction(text: string): Readonly<Record<string, unknown>> | undefined {
  if (text === "") return undefined;
  const { evictionHard, mergeDefaultEvictionSettings: merges } = (yaml().parse(text) ?? {}) as {
    readonly evictionHard?: unknown;
    readonly mergeDefaultEvictionSettings?: unknown;
  };
  if (typeof evictionHard !== "object" || evictionHard === null) return undefined;
  if (merges === true) return { ...EVICTION, ...evictionHard };
  return Object.keys(evictionHard).length === 0
    ? undefined
    : (evictionHard as Readonly<Record<string, unknown>>);
}

/** `10%` of the capacity, `5Gi`, or a number of inodes; 0 for what can't be read, which never evicts. */
function amountOf(value: unknown, capacity: number): number {
  const text = typeof value === "number" ? String(value) : typeof value === "string" ? value : "";
  const [, percent] = /^([0-9]+(?:\.[0-9]+)?)%$/.exec(text) ?? [];
  if (percent !== undefined) return (Number(percent) / 100) * capacity;
  const [, amount, unit = ""] = /^([0-9]+(?:\.[0-9]+)?)([kMGT]?|[KMGT]i)$/.exec(text) ?? [];
  return amount === undefined ? 0 : Number(amount) * (QUANTITY_FACTORS[unit] ?? 1);
}
