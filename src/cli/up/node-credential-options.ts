import type { OptionValues } from "../command.ts";
import type { NodeCredentialOptions } from "./node-credentials.ts";

/** Who the node is to registries, beside what its Pods bring along. */
export const NODE_CREDENTIAL_OPTIONS = {
  "node-config": {
    type: "string",
    value: "FILE",
    summary:
      "The node's own credentials, instead of config.json and .dockercfg where the kubelet looks for them",
  },
  "image-credential-provider-config": {
    type: "string",
    value: "PATH",
    summary: "The CredentialProviderConfig of exec providers, a file or a folder",
  },
  "image-credential-provider-bin-dir": {
    type: "string",
    value: "DIR",
    summary: "Where the exec providers' programs are",
  },
  "credential-extension": {
    type: "string",
    value: "MODULE",
    multiple: true,
    summary: "A module that exports createCredentialSource(), asked after all else",
  },
  "extension-settings": {
    type: "string",
    value: "FILE",
    summary: "Settings for these modules, YAML or JSON: a map by MODULE, each as it was given",
  },
  "docker-credentials": {
    type: "boolean",
    summary: "Also ask what the other commands ask: Docker's credential helpers, Podman's auth.json",
  },
} as const;

export function nodeCredentialOptions(
  values: OptionValues<typeof NODE_CREDENTIAL_OPTIONS>,
): NodeCredentialOptions {
  return {
    nodeConfig: values["node-config"],
    providerConfig: values["image-credential-provider-config"],
    providerBinDir: values["image-credential-provider-bin-dir"],
    extensions: values["credential-extension"],
    extensionSettings: values["extension-settings"],
    docker: values["docker-credentials"],
  };
}
