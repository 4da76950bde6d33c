/** Options that several commands have in common, said once. */

/** How to reach and trust registries, and who to be to them. */
export const REGISTRY_OPTIONS = {
  "plain-http": {
    type: "boolean",
    summary: "Speak http to registries that have no configuration of their own",
  },
  insecure: { type: "boolean", summary: "Accept any certificate" },
  "tls-ca": { type: "string", value: "FILE", summary: "Trust the certificates in this PEM file, too" },
  "tls-cert": { type: "string", value: "FILE", summary: "Show this client certificate (PEM)" },
  "tls-key": { type: "string", value: "FILE", summary: "Its key (PEM)" },
  "hosts-dir": {
    type: "string",
    value: "DIR",
    multiple: true,
    summary: "Read hosts.toml from this folder, as containerd does from certs.d",
  },
  username: {
    type: "string",
    short: "u",
    value: "NAME",
    summary: "Log in as, instead of what Docker's config says",
  },
  "password-stdin": { type: "boolean", summary: "Read the password from standard input" },
  authfile: { type: "string", value: "FILE", summary: "Read credentials from this file" },
} as const;

/** Where the node's images are. */
export const STORE_OPTIONS = {
  "data-dir": {
    type: "string",
    value: "DIR",
    summary: "Keep images here; by default $XDG_DATA_HOME/dray, or /var/lib/dray as root",
  },
} as const;

export const PLATFORM_OPTIONS = {
  platform: {
    type: "string",
    value: "OS/ARCH",
    summary: "The platform to take out of an index, such as linux/arm64",
  },
} as const;

export const TRANSFER_OPTIONS = {
  "all-platforms": { type: "boolean", summary: "Bring every platform of an index" },
  jobs: {
    type: "string",
    short: "j",
    value: "NUMBER",
    summary: "Contents under way at a time; 3 by default",
  },
  quiet: { type: "boolean", short: "q", summary: "No progress" },
} as const;

/** Of commands that fetch layers. */
export const FETCH_OPTIONS = {
  "blob-connections": {
    type: "string",
    value: "NUMBER",
    summary: "Connections over which a large blob is read when it comes slowly; 4 by default, 1 for only one",
  },
} as const;

/** Of commands that read from registries and from them alone wait long. */
export const STALL_OPTIONS = {
  "stall-timeout": {
    type: "string",
    value: "DURATION",
    summary: "Give up when a registry sends no byte for so long; 60s by default, 0 waits for ever",
  },
} as const;
