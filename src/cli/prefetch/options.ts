/** The options of `dray prefetch`. */
import type { OptionValues } from "../command.ts";
import { UsageError } from "../errors.ts";
import { readSize } from "../settings.ts";
import type { REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
import type { NODE_CREDENTIAL_OPTIONS } from "../up/node-credential-options.ts";
import type { CLUSTER_OPTIONS } from "../webhook/cluster.ts";

export const PREFETCH_OPTIONS = {
  filename: {
    type: "string",
    short: "f",
    value: "FILE",
    multiple: true,
    summary: "The images of every Pod and Pod template in this file or folder; - is standard input",
  },
  "images-from": {
    type: "string",
    value: "FILE",
    multiple: true,
    summary: "The images in this file, one a line, after # comments; - is standard input",
  },
  namespace: {
    type: "string",
    short: "n",
    value: "NAME",
    summary: "The namespace of workloads in a cluster, and of files that name none",
  },
  "all-namespaces": { type: "boolean", short: "A", summary: "Workloads of all namespaces, for TYPE alone" },
  socket: {
    type: "string",
    value: "PATH",
    summary: "The CRI socket to pull through; by default the first of the usual ones that is there",
  },
  "image-service-endpoint": {
    type: "string",
    value: "URL",
    summary: "The same as the kubelet has it: unix:///run/containerd/containerd.sock",
  },
  "kubelet-root": {
    type: "string",
    value: "DIR",
    summary: "Where the kubelet keeps its config.json; /var/lib/kubelet by default",
  },
  "no-node-credentials": {
    type: "boolean",
    summary: "Use the Pods' Secrets alone, not the files where the kubelet looks for the node's credentials",
  },
  always: { type: "boolean", summary: "Also pull what is here: tags may have moved" },
  jobs: { type: "string", short: "j", value: "NUMBER", summary: "Images under way at a time; 3 by default" },
  "max-bytes": {
    type: "string",
    value: "SIZE",
    summary: "Refuse to bring more than this, such as 20G; what is here already doesn't count",
  },
  "keep-free": {
    type: "string",
    value: "SIZE",
    summary:
      "Refuse to leave less of the disk free than this, such as 5G or 20%; 15% by default, 0 for no limit",
  },
  "unpack-ratio": {
    type: "string",
    value: "NUMBER",
    summary: "Bytes that unpacking adds to each byte that travels; 2.5 by default, 0 with dray's own service",
  },
  "no-check": { type: "boolean", summary: "Ask no registry for sizes beforehand, and check no budget" },
  "dry-run": { type: "boolean", summary: "Say what would be brought and whether it fits, and pull nothing" },
  pin: { type: "boolean", summary: "Keep what was brought, or is here, from being collected" },
  unpin: { type: "boolean", summary: "Pull nothing; let these images be collected again" },
  "list-pins": { type: "boolean", summary: "Pull nothing; list what is pinned in dray's own service" },
  containerd: {
    type: "string",
    value: "ADDRESS",
    summary: "containerd's own socket, to pin and unpin there; CRI has no call for that",
  },
  quiet: { type: "boolean", short: "q", summary: "No progress" },
} as const;

export type PrefetchValues = OptionValues<
  typeof PREFETCH_OPTIONS &
    typeof STORE_OPTIONS &
    typeof CLUSTER_OPTIONS &
    typeof NODE_CREDENTIAL_OPTIONS &
    Pick<typeof REGISTRY_OPTIONS, "plain-http" | "insecure" | "tls-ca" | "tls-cert" | "tls-key" | "hosts-dir">
> & { readonly json?: boolean; readonly debug?: boolean };

/** How much to keep free of a disk of a capacity; `undefined` for no limit. */
export function readKeepFree(text = "15%"): ((capacity: number) => number) | undefined {
  const [, percent] = /^([0-9]{1,2}(?:\.[0-9]{1,3})?)%$/.exec(text) ?? [];
  if (percent !== undefined) {
    const part = Number(percent) / 100;
    return part === 0 ? undefined : (capacity) => capacity * part;
  }
  const bytes = readSize(text, "--keep-free");
  return bytes === undefined || bytes === 0 ? undefined : () => bytes;
}

export function readRatio(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9]{1,3}(\.[0-9]{1,3})?$/.test(text)) return Number(text);
  throw new UsageError(
    `Option --unpack-ratio does not take ${JSON.stringify(text)}: it is a number such as 2.5`,
  );
}
