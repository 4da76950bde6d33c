import { resolve } from "node:path";

import type { AccessSettings } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";
import { dataDir, readDuration, readPort, readSplit } from "../settings.ts";
import type { CommandContext } from "../context.ts";
import { FETCH_OPTIONS, REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
import { IMAGE_OPTIONS, readImageSettings } from "../up/image-settings.ts";
import { NODE_CREDENTIAL_OPTIONS, nodeCredentialOptions } from "../up/node-credential-options.ts";
import { runUp } from "../up/run-up.ts";
import { isAllReady } from "../up/settled.ts";
import type { ApiOptions } from "../up/start-api.ts";
import { startHints } from "../up/start-hints.ts";
import {
  ADMISSION_OPTIONS as WEBHOOK_OPTIONS,
  admissionSettings,
  type AdmissionValues,
} from "../webhook/options.ts";

const { config: _config, ...ADMISSION_OPTIONS } = WEBHOOK_OPTIONS;

const {
  username: _username,
  "password-stdin": _stdin,
  authfile: _authfile,
  ...CONNECTION_OPTIONS
} = REGISTRY_OPTIONS;

export const up: Command = defineCommand({
  name: "up",
  summary: "Run a registry and a node that brings the images of a folder's Pods here",
  details: [
    "The node watches a folder of Kubernetes manifests as the kubelet watches its static Pods, and pulls what they name, by their pull policies. On a terminal a table shows each container's image, and stays true while you edit the folder or push a new tag; in a pipe each change is a line.",
    "The registry listens on 127.0.0.1:5000 and takes pushes from any client. What can't start says why, and the rest goes on; then the exit code at the end isn't 0.",
    "Namespaces, Secrets and ServiceAccounts may stand in the folder, too: a Pod's imagePullSecrets are looked for in its namespace, and one without any has those of its ServiceAccount. After them come the node's own credentials, found as the kubelet finds them: config.json, then .dockercfg, in the data directory, the working directory and the home directory; then exec credential providers. Credentials that match are tried in turn.",
    "Pulls, verification and collection of images follow the kubelet's settings and their defaults. dray status shows the node from another terminal.",
    "The Kubernetes API serves stock kubectl: the kubeconfig stands in the data directory. Pods made there, by hand or by Deployments and the like, are this node's beside those of the folder, which the API shows as mirror Pods. With --once it is served only where --api-port asks for it.",
    "Ends with Ctrl-C.",
  ],
  options: {
    "registry-port": {
      type: "string",
      value: "PORT",
      summary: "Serve the registry here; 5000 by default, 0 for any free port",
    },
    "registry-address": {
      type: "string",
      value: "ADDRESS",
      summary: "Listen on this address; 127.0.0.1 by default",
    },
    access: {
      type: "string",
      value: "FILE",
      summary: "Who may do what with the registry (YAML or JSON); everybody everything until it has tenants",
    },
    "no-registry": { type: "boolean", summary: "Run the node alone" },
    "api-port": {
      type: "string",
      value: "PORT",
      summary: "Serve the Kubernetes API here; 6443 by default, or any free port where that is taken",
    },
    "no-api": { type: "boolean", summary: "Run without the Kubernetes API, on the folder alone" },
    "admission-config": {
      type: "string",
      value: "FILE",
      summary: "Read what the API does with images from this YAML file, as dray webhook's --config",
    },
    ...ADMISSION_OPTIONS,
    "metrics-port": {
      type: "string",
      value: "PORT",
      summary:
        "Serve /metrics for Prometheus, and /progress of every pull as JSON lines, on 127.0.0.1; 0 for any free port",
    },
    "node-name": {
      type: "string",
      value: "NAME",
      summary: "What events and ServiceAccount tokens call this node; the machine's name by default",
    },
    ...NODE_CREDENTIAL_OPTIONS,
    ...IMAGE_OPTIONS,
    recheck: {
      type: "string",
      value: "DURATION",
      summary: "How often to look whether tags of policy Always moved; 60s by default",
    },
    once: { type: "boolean", summary: "End when every image is here (exit code 0) or has failed (1)" },
    ...FETCH_OPTIONS,
    ...STORE_OPTIONS,
    ...CONNECTION_OPTIONS,
  },
  arguments: [
    {
      name: "FOLDER",
      summary: "The folder of manifests; ./pods by default, made where it is missing",
      optional: true,
    },
  ],
  examples: [
    { command: "dray up manifests/", summary: "Bring the images of these Pods here, and keep at it" },
    {
      command: "dray up --once --no-registry manifests/",
      summary: "Check in CI that every image can be pulled",
    },
    {
      command: "dray up --json manifests/ | jq -c 'select(.phase == \"failed\")'",
      summary: "Hear of failures only",
    },
  ],
  async run({ values, positionals }, context) {
    if (values["no-registry"] === true && values["registry-port"] !== undefined) {
      throw new UsageError("Options --no-registry and --registry-port contradict each other", "up");
    }
    if (values["no-registry"] === true && values.access !== undefined) {
      throw new UsageError("Options --no-registry and --access contradict each other", "up");
    }
    // Told before anything is started.
    readSplit(values);
    const folder = resolve(context.cwd, positionals[0] ?? "pods");
    const port =
      values["no-registry"] === true
        ? undefined
        : (readPort(values["registry-port"], "--registry-port") ?? 5000);
    const once = values.once === true;
    const result = await runUp(
      {
        folder,
        dataDir: dataDir(values, context),
        address: values["registry-address"] ?? "127.0.0.1",
        port,
        access:
          values.access === undefined ? undefined : await readAccess(resolve(context.cwd, values.access)),
        api: await readApiOptions(values, context),
        metricsPort: readPort(values["metrics-port"], "--metrics-port"),
        nodeName: values["node-name"],
        images: await readImageSettings(values, context),
        credentials: nodeCredentialOptions(values),
        recheckInterval: readDuration(values.recheck, "--recheck"),
        json: values.json === true,
        once,
        connection: values,
        hints: (registry, api) => (values.json === true ? [] : startHints(folder, registry, api)),
      },
      context,
    );
    if (!once || result.code !== 0) return result.code;
    return isAllReady(result.state) ? 0 : 1;
  },
});

async function readAccess(path: string): Promise<AccessSettings> {
  const { readAccessFile } = await import("../../registry/index.ts");
  return await readAccessFile(path);
}

interface ApiValues extends AdmissionValues {
  readonly "api-port"?: string;
  readonly "no-api"?: boolean;
  readonly "admission-config"?: string;
  readonly once?: boolean;
}

async function readApiOptions(values: ApiValues, context: CommandContext): Promise<ApiOptions | undefined> {
  const port = readPort(values["api-port"], "--api-port");
  if (values["no-api"] === true && port !== undefined) {
    throw new UsageError("Options --no-api and --api-port contradict each other", "up");
  }
  // The node's own --config is a KubeletConfiguration, and says nothing of admission.
  const { "admission-config": file, config: _kubelet, ...admission } = values;
  const settings = await admissionSettings(
    { ...admission, ...(file !== undefined && { config: file }) },
    context,
  );
  if (values["no-api"] === true || (values.once === true && port === undefined)) return undefined;
  return { port, admission: settings };
}
