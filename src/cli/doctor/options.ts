/** The options of `dray doctor node`, and where a node usually keeps things. */
import type { OptionValues } from "../command.ts";
import type { REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";

export const DOCTOR_OPTIONS = {
  socket: {
    type: "string",
    value: "PATH",
    multiple: true,
    summary:
      "A CRI socket that must answer; by default those of the KubeletConfiguration, else any usual one",
  },
  "kubelet-root": {
    type: "string",
    value: "DIR",
    summary: "The kubelet's root folder; that of a running kubelet, or /var/lib/kubelet, by default",
  },
  "kubelet-config": {
    type: "string",
    value: "FILE",
    summary: "The KubeletConfiguration; a running kubelet's, or config.yaml in its root folder, by default",
  },
  "containerd-config": {
    type: "string",
    value: "FILE",
    summary:
      "containerd's config.toml, which says where hosts.toml files are; /etc/containerd/config.toml by default",
  },
  "image-credential-provider-config": {
    type: "string",
    value: "PATH",
    summary: "The CredentialProviderConfig, a file or a folder; a running kubelet's by default",
  },
  "image-credential-provider-bin-dir": {
    type: "string",
    value: "DIR",
    summary: "Where the credential providers' programs are; a running kubelet's by default",
  },
  "run-providers": {
    type: "string",
    value: "IMAGE",
    multiple: true,
    summary: "Also run the credential providers that match this image, as a pull would",
  },
  registry: {
    type: "string",
    value: "HOST",
    multiple: true,
    summary: "Also try to reach this registry, and its mirrors",
  },
  "no-network": { type: "boolean", summary: "Ask no registry and no mirror; the clock isn't checked then" },
} as const;

export type DoctorValues = OptionValues<
  typeof DOCTOR_OPTIONS & typeof STORE_OPTIONS & Pick<typeof REGISTRY_OPTIONS, "hosts-dir" | "tls-ca">
> & { readonly json?: boolean; readonly debug?: boolean };

/** Where things are unless somebody says otherwise. */
export interface NodePlaces {
  readonly sockets: readonly string[];
  readonly kubeletRoot: string;
  readonly containerdConfig: string;
  /** Where running processes are seen. */
  readonly proc: string;
  /** containerd's, looked at where the runtime doesn't say. */
  readonly hostsDirs: readonly string[];
  /** Bundles of certificate authorities, of which distributions have one. */
  readonly caBundles: readonly string[];
}

export const USUAL_PLACES: Omit<NodePlaces, "sockets"> = {
  kubeletRoot: "/var/lib/kubelet",
  containerdConfig: "/etc/containerd/config.toml",
  proc: "/proc",
  hostsDirs: ["/etc/containerd/certs.d"],
  caBundles: [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
  ],
};
