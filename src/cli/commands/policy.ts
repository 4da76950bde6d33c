import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";
import { dataDir } from "../settings.ts";
import { REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
import { NODE_CREDENTIAL_OPTIONS, nodeCredentialOptions } from "../up/node-credential-options.ts";
import { ADMISSION_OPTIONS, admissionSettings } from "../webhook/options.ts";
import { registryConnection } from "../webhook/registry-connection.ts";

const { "plain-http": plainHttp, insecure, "hosts-dir": hostsDir } = REGISTRY_OPTIONS;

export const policy: Command = defineCommand({
  name: "policy",
  summary: "Say what admission makes of manifests: what it changes, refuses and warns about",
  details: [
    "Runs the admission of dray webhook over files, folders and standard input (-), for CI: defaults, ServiceAccounts' pull secrets, AlwaysPullImages, pinned digests and rules about images, by the same options and --config. Every kind with a Pod template is judged, and so are the Pods that come of it.",
    "No registry is asked unless --pin (or the file) wants digests; then tags are looked up with the Secrets and ServiceAccounts among the files, and with --node-config and credential providers.",
    "--fix writes pins and pull policies into the files, and -o yaml to standard output; comments, order and quotes stay.",
    "Exit code 1 says that something is refused, or a manifest can't be read; with --fail-on warning also that there is a warning, with change that anything would be changed.",
  ],
  options: {
    ...ADMISSION_OPTIONS,
    complete: {
      type: "boolean",
      summary: "The files are all there is: a ServiceAccount that isn't among them is missing",
    },
    output: {
      type: "string",
      short: "o",
      value: "FORMAT",
      choices: ["text", "json", "yaml"],
      summary: "text (the default), json, or yaml: the manifests as they would become",
    },
    fix: { type: "boolean", summary: "Write pins and pull policies into the files" },
    "fail-on": {
      type: "string",
      value: "WHAT",
      choices: ["refused", "warning", "change"],
      summary: "What ends in exit code 1: refused by default",
    },
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
  },
  arguments: [{ name: "FILE", summary: "Manifests, folders of them, or - for standard input", many: true }],
  examples: [
    {
      command: "dray policy --forbid-latest --allow registry.example.com manifests/",
      summary: "In CI: would the cluster take them?",
    },
    {
      command: "dray policy --config webhook.yaml --fix manifests/",
      summary: "Write what the webhook would change",
    },
    { command: "helm template . | dray policy --require-digest -", summary: "Judge what another tool makes" },
  ],
  async run({ values, positionals }, context) {
    const settings = await admissionSettings(values, context);
    const output = values.json === true ? "json" : (values.output ?? "text");
    if (values.fix === true && output === "yaml") {
      throw new UsageError("Options --fix and -o yaml contradict each other", "policy");
    }
    const { runPolicy } = await import("../policy/run-policy.ts");
    return await runPolicy(
      {
        files: positionals,
        settings,
        connection: registryConnection(values),
        credentials: nodeCredentialOptions(values),
        root: dataDir(values, context),
        complete: values.complete === true,
        output: output as "text" | "json" | "yaml",
        fix: values.fix === true,
        failOn: (values["fail-on"] ?? "refused") as "refused" | "warning" | "change",
      },
      context,
    );
  },
});
