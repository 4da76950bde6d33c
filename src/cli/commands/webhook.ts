import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { type Command, defineCommand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import { dataDir, readCount, readPort } from "../settings.ts";
import { REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
import { NODE_CREDENTIAL_OPTIONS, nodeCredentialOptions } from "../up/node-credential-options.ts";
import { CLUSTER_OPTIONS, connectAsPerson } from "../webhook/cluster.ts";
import { ADMISSION_OPTIONS, type AdmissionValues, admissionSettings } from "../webhook/options.ts";
import { registryConnection, type RegistryValues } from "../webhook/registry-connection.ts";
import type { AdmissionSettings } from "../webhook/settings-file.ts";

const { "plain-http": plainHttp, insecure, "hosts-dir": hostsDir } = REGISTRY_OPTIONS;

export const webhook: Command = defineCommand({
  name: "webhook",
  summary: "Guard an API server's door: always pulled images, pinned digests, rules about images",
  details: [
    "Answers AdmissionReviews over HTTPS: changes at /mutate, verdicts at /validate; /readyz, /livez and /metrics beside them. What it does with images is said by options, by --config, or by both.",
    "Tags are looked up as the Pod that names them would pull them: with its Secrets and those of its ServiceAccount, then with what --node-config and credential providers have.",
    "Without --tls-cert it makes a certificate of its own and renews it in time. In a cluster, that is kept in a Secret which all replicas share, and whom to trust is written into the webhook's configurations.",
    "dray webhook install brings all it needs into a cluster: Namespace, ServiceAccount, roles, Service, Deployment and, once that answers, the configurations. --print shows them instead.",
  ],
  options: {
    ...ADMISSION_OPTIONS,
    port: { type: "string", value: "PORT", summary: "Listen here; 8443 by default, 0 for any free port" },
    address: { type: "string", value: "ADDRESS", summary: "Listen on this address; all by default" },
    "tls-cert": {
      type: "string",
      value: "FILE",
      summary: "Show this certificate (PEM); read again when it changes",
    },
    "tls-key": { type: "string", value: "FILE", summary: "Its key (PEM)" },
    host: {
      type: "string",
      value: "NAME",
      multiple: true,
      summary: "A further name or address for a certificate of its own",
    },
    namespace: { type: "string", value: "NAME", summary: "The Service's namespace; dray-system by default" },
    name: { type: "string", value: "NAME", summary: "The Service's name; dray-webhook by default" },
    ...CLUSTER_OPTIONS,
    "plain-http": plainHttp,
    insecure,
    "hosts-dir": hostsDir,
    "registry-ca": {
      type: "string",
      value: "FILE",
      summary: "Trust the certificates in this PEM file for registries, too",
    },
    ...NODE_CREDENTIAL_OPTIONS,
    ...STORE_OPTIONS,
    print: { type: "boolean", summary: "With install: print the objects as YAML and apply nothing" },
    image: { type: "string", value: "IMAGE", summary: "With install: the image dray runs from" },
    replicas: { type: "string", value: "NUMBER", summary: "With install: how many; 2 by default" },
    "failure-policy": {
      type: "string",
      value: "POLICY",
      choices: ["Fail", "Ignore"],
      summary: "With install: what the API server does when nobody answers; Fail by default",
    },
    timeout: {
      type: "string",
      value: "SECONDS",
      summary: "With install: how long the API server waits, 1 to 30; 10 by default",
    },
  },
  arguments: [{ name: "install", summary: "Bring the webhook into a cluster", optional: true }],
  examples: [
    {
      command: "dray webhook install --image registry.example.com/dray:1 --pin",
      summary: "Pin every tag of a cluster",
    },
    {
      command: "dray webhook install --print --image registry.example.com/dray:1 --config webhook.yaml",
      summary: "See what that would apply",
    },
    {
      command:
        "dray webhook --forbid-latest --allow registry.example.com --tls-cert tls.crt --tls-key tls.key",
      summary: "Run one by hand",
    },
  ],
  async run({ values, positionals }, context) {
    const [action] = positionals;
    if (action !== undefined && action !== "install") {
      throw new UsageError(
        `There is no dray webhook ${JSON.stringify(action)}: it takes install, or nothing`,
        "webhook",
      );
    }
    const settings = await admissionSettings(values, context);
    const { alwaysPullImages, pinning, policy } = settings;
    if (!alwaysPullImages && pinning === undefined && policy === undefined) {
      const options =
        "--pin, --always-pull-images, --forbid-latest, --require-digest, --allow, --deny or --config";
      throw new UsageError(`There is nothing to do with images: add ${options}`, "webhook");
    }
    const service = { namespace: values.namespace ?? "dray-system", name: values.name ?? "dray-webhook" };
    if (action === "install") {
      checkInstall(values);
      return await install(values, { settings, service, context });
    }
    const { "tls-cert": cert, "tls-key": key } = values;
    if ((cert === undefined) !== (key === undefined)) {
      throw new UsageError("Options --tls-cert and --tls-key go together", "webhook");
    }
    const { runWebhook } = await import("../webhook/run-webhook.ts");
    const root = dataDir(values, context);
    await runWebhook(
      {
        settings,
        service,
        address: values.address,
        port: readPort(values.port, "--port") ?? 8443,
        files:
          cert === undefined || key === undefined
            ? undefined
            : { cert: resolve(context.cwd, cert), key: resolve(context.cwd, key) },
        folder: join(root, "webhook"),
        hosts: ["localhost", "127.0.0.1", ...(values.host ?? [])],
        cluster: values,
        connection: registryConnection(values),
        credentials: nodeCredentialOptions(values),
        root,
        json: values.json === true,
      },
      context,
    );
    return 0;
  },
});

interface InstallValues extends AdmissionValues, RegistryValues {
  readonly print?: boolean;
  readonly image?: string;
  readonly replicas?: string;
  readonly host?: readonly string[];
  readonly "failure-policy"?: string;
  readonly timeout?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

async function install(
  values: InstallValues,
  work: {
    readonly settings: AdmissionSettings;
    readonly service: { readonly namespace: string; readonly name: string };
    readonly context: CommandContext;
  },
): Promise<number> {
  const { settings, service, context } = work;
  const { image, config } = values;
  if (image === undefined)
    throw new UsageError("Option --image is needed: the image dray runs from", "webhook");
  const timeoutSeconds = readCount(values.timeout, "--timeout") ?? 10;
  if (timeoutSeconds > 30) throw new UsageError("Option --timeout takes 1 to 30 seconds", "webhook");
  const { installObjects } = await import("../webhook/install-objects.ts");
  const { applyInstall, formatManifests } = await import("../webhook/install.ts");
  const objects = installObjects({
    ...service,
    image,
    replicas: readCount(values.replicas, "--replicas") ?? 2,
    args: installArguments(values),
    config: config === undefined ? undefined : await readFile(resolve(context.cwd, config), "utf8"),
    mutates: settings.alwaysPullImages || settings.pinning !== undefined,
    validates: settings.alwaysPullImages || settings.policy !== undefined,
    pins: settings.pinning !== undefined,
    failurePolicy: values["failure-policy"] === "Ignore" ? "Ignore" : "Fail",
    timeoutSeconds,
  });
  if (values.print === true) {
    await context.stdout.write(formatManifests(objects));
    return 0;
  }
  await using connected = await connectAsPerson(values, context);
  await applyInstall(connected.client, objects, {
    signal: context.signal,
    onApplied: (name) => void context.stdout.write(`${name} applied\n`),
  });
  return 0;
}

/** They name files of this machine, or say how this process listens. */
const NOT_FOR_INSTALL = [
  "port",
  "address",
  "tls-cert",
  "tls-key",
  "hosts-dir",
  "registry-ca",
  "node-config",
  "image-credential-provider-config",
  "image-credential-provider-bin-dir",
  "credential-extension",
  "extension-settings",
  "docker-credentials",
] as const;

function checkInstall(values: Readonly<Record<string, unknown>>): void {
  const found = NOT_FOR_INSTALL.find((name) => values[name] !== undefined);
  if (found === undefined) return;
  const how = "with install, use --print and add to the Deployment what its Pods need";
  throw new UsageError(`Option --${found} is about this machine: ${how}`, "webhook");
}

/** What was asked for here is asked for there; a file goes along as a ConfigMap. */
function installArguments(values: InstallValues): readonly string[] {
  const args: string[] = [];
  for (const name of Object.keys(ADMISSION_OPTIONS) as (keyof AdmissionValues)[]) {
    if (name === "config") continue;
    const value = values[name];
    if (value === true) args.push(`--${name}`);
    else if (typeof value === "string") args.push(`--${name}=${value}`);
    else if (typeof value === "object") args.push(...value.map((one) => `--${name}=${one}`));
  }
  args.push(...(values.host ?? []).map((host) => `--host=${host}`));
  if (values["plain-http"] === true) args.push("--plain-http");
  if (values.insecure === true) args.push("--insecure");
  return args;
}
