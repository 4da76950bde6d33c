/** The options of `dray explain`. */
import type { OptionValues } from "../command.ts";
import type { PLATFORM_OPTIONS, REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
import type { NODE_CREDENTIAL_OPTIONS } from "../up/node-credential-options.ts";
import type { CLUSTER_OPTIONS } from "../webhook/cluster.ts";

/** Its own; it has the others' besides. */
export const EXPLAIN_OPTIONS = {
  filename: {
    type: "string",
    short: "f",
    value: "FILE",
    multiple: true,
    summary: "Explain what is in this file or folder; - is standard input",
  },
  namespace: {
    type: "string",
    short: "n",
    value: "NAME",
    summary: "The namespace of what is looked up in a cluster; of files, what is in it or names none",
  },
  "all-namespaces": {
    type: "boolean",
    short: "A",
    summary: "Without a name: look in all namespaces of the cluster",
  },
  "no-network": {
    type: "boolean",
    summary: "Ask no registry and run no credential provider; say what would be asked",
  },
  complete: {
    type: "boolean",
    summary: "The files are all there is: a Secret or ServiceAccount that isn't among them doesn't exist",
  },
  nodes: { type: "boolean", summary: "Explain for every node of the cluster, or every Node among the files" },
  quiet: { type: "boolean", short: "q", summary: "Only causes and advice, without what led to them" },
  html: { type: "string", value: "FILE", summary: "Also write one page of HTML" },
  "admission-config": {
    type: "string",
    value: "FILE",
    summary: "Also run this admission, a file as dray webhook takes with --config",
  },
  "kubelet-config": {
    type: "string",
    value: "FILE",
    summary: "Take the node's image settings from this KubeletConfiguration",
  },
  "kubelet-root": {
    type: "string",
    value: "DIR",
    summary: "The kubelet's root folder, for its credentials and pull records; only read",
  },
  "service-account-tokens": {
    type: "boolean",
    summary:
      "In a cluster: make the ServiceAccount tokens that credential providers want, as its nodes do (TokenRequests); takes the right to create serviceaccounts/token",
  },
  "node-images": {
    type: "string",
    value: "FILE",
    summary: "What the node has: the output of crictl images -o json",
  },
  rate: {
    type: "string",
    value: "BYTES",
    summary: "Estimate pulls at this many bytes a second; 20M by default",
  },
} as const;

type Shared = Pick<
  typeof REGISTRY_OPTIONS,
  "plain-http" | "insecure" | "tls-ca" | "tls-cert" | "tls-key" | "hosts-dir"
> &
  typeof PLATFORM_OPTIONS &
  typeof CLUSTER_OPTIONS &
  typeof NODE_CREDENTIAL_OPTIONS &
  typeof STORE_OPTIONS;

export type ExplainValues = OptionValues<typeof EXPLAIN_OPTIONS & Shared> & {
  readonly json?: boolean;
  readonly debug?: boolean;
};
