/** What a doctor says of a node: findings with stable codes, and what was looked at or couldn't be. */

export type Severity = "error" | "warning" | "info";

/** Every code there is, how bad it is, and what it means in one line; the guide lists them. */
export const FINDINGS = {
  CRI_SOCKET_NONE: ["error", "There is no CRI socket where one is usually found"],
  CRI_SOCKET_MISSING: ["error", "A CRI socket that is configured isn't there"],
  CRI_SOCKET_INVALID: ["error", "What is there in place of a CRI socket is none"],
  CRI_SOCKET_OPEN: ["warning", "Every user of the machine may use the CRI socket, and so act as the node"],
  CRI_UNANSWERED: ["error", "Nobody answers on the CRI socket"],
  CRI_VERSION: ["error", "The endpoint doesn't speak CRI v1"],
  CRI_NO_IMAGES: ["error", "The endpoint has no image service"],
  CRI_NOT_READY: ["warning", "The runtime says that it isn't ready"],
  DIRECTORY_MISSING: ["error", "A directory that is configured isn't there"],
  DIRECTORY_INVALID: ["error", "What is there in place of a directory is none"],
  DIRECTORY_READ_ONLY: ["error", "A directory that must be written to can't be"],
  DIRECTORY_OPEN: ["warning", "Every user of the machine may write to a directory of the node"],
  DISK_EVICTION: ["error", "So little of the disk is free that the kubelet evicts Pods"],
  DISK_ABOVE_GC_THRESHOLD: ["warning", "So much of the disk is used that the kubelet deletes unused images"],
  INODES_LOW: ["error", "So few inodes are free that the kubelet evicts Pods"],
  CLOCK_OFF: ["error", "The clock is so wrong that certificates and tokens fail"],
  CLOCK_DRIFT: ["warning", "The clock is not quite right"],
  CONTAINERD_CONFIG_INVALID: ["error", "containerd doesn't start with this config.toml"],
  HOSTS_DIR_MISSING: ["error", "A directory of hosts.toml files that is configured isn't there"],
  HOSTS_INVALID: ["error", "A hosts.toml can't be read, so containerd goes on without it"],
  HOSTS_FILES_UNUSABLE: ["error", "Certificates or keys that go with a registry can't be used"],
  HOSTS_EMPTY: ["warning", "A directory for a registry says nothing about it"],
  HOSTS_SKIP_VERIFY: ["warning", "Certificates of a registry's host aren't checked"],
  HOSTS_SECRET_READABLE: ["warning", "A hosts.toml with an Authorization header may be read by all users"],
  HOSTS_NOT_USED: ["error", "The runtime doesn't look at the directory of hosts.toml files"],
  REGISTRY_UNREACHABLE: ["error", "A registry can't be reached"],
  REGISTRY_UNTRUSTED: ["error", "A registry's certificate isn't trusted"],
  REGISTRY_FAILING: ["error", "A registry answers with errors"],
  REGISTRY_NOT_ONE: ["error", "What answers there is no registry"],
  MIRROR_UNREACHABLE: ["warning", "A mirror can't be reached, so each pull tries it first in vain"],
  MIRROR_UNTRUSTED: ["warning", "A mirror's certificate isn't trusted, so each pull tries it first in vain"],
  MIRROR_FAILING: ["warning", "A mirror answers with errors, so each pull tries it first in vain"],
  MIRROR_NOT_ONE: ["warning", "What answers in a mirror's place is no registry"],
  CREDENTIALS_INVALID: ["error", "A credentials file can't be decoded, so the kubelet passes over it"],
  CREDENTIALS_UNREADABLE: ["error", "A credentials file can't be read"],
  CREDENTIALS_OPEN: ["warning", "A credentials file may be read by all users"],
  CREDENTIALS_SHADOWED: ["warning", "A credentials file isn't used, since the kubelet stops at another one"],
  CREDENTIALS_HELPERS_IGNORED: ["warning", "The kubelet runs no credential helpers, whatever the file says"],
  CREDENTIALS_EMPTY: ["warning", "An entry of a credentials file holds no user"],
  PROVIDER_FLAGS: ["error", "Of the two flags for credential providers only one is given"],
  PROVIDER_CONFIG_INVALID: ["error", "The kubelet doesn't start with this CredentialProviderConfig"],
  PROVIDER_BINARY_MISSING: ["error", "A credential provider's program isn't there"],
  PROVIDER_BINARY_UNUSABLE: ["error", "A credential provider's program can't be run"],
  PROVIDER_BINARY_OPEN: ["error", "Every user of the machine may replace what runs as root"],
  PROVIDER_FAILED: ["error", "A credential provider failed when it was run"],
  PROVIDER_NOTHING: ["warning", "A credential provider that ought to have credentials has none"],
  KUBELET_CONFIG_INVALID: ["error", "The kubelet doesn't start with this KubeletConfiguration"],
  KUBELET_CONFIG_UNREADABLE: ["error", "A KubeletConfiguration that is named can't be read"],
  IMAGE_GC_OFF: ["info", "The kubelet never deletes images"],
  PULLS_ONE_BY_ONE: ["info", "The kubelet pulls one image at a time"],
  CA_UNUSABLE: ["error", "A file of certificate authorities can't be used"],
  CA_EXPIRED: ["warning", "A certificate authority that is trusted has expired"],
  CA_EXPIRES_SOON: ["warning", "A certificate authority that is trusted expires within 30 days"],
  CA_BUNDLE_MISSING: ["warning", "The machine has no bundle of certificate authorities"],
  PROXY_INVALID: ["error", "A proxy variable holds no URL of a proxy"],
  PROXY_FOR_PRIVATE: ["warning", "A registry of the private network is reached through a proxy"],
  PROXY_SPLIT: ["warning", "A proxy variable is spelled in two ways that differ"],
} as const;

export type FindingCode = keyof typeof FINDINGS;

export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** A file, a socket, a host. */
  readonly where: string;
  /** What was found, in a sentence. */
  readonly what: string;
  /** How to mend it. */
  readonly mend: string;
}

export interface Looked {
  /** `sockets`, `credentials`. */
  readonly area: string;
  readonly what: string;
}

/** Collects what checks say. */
export class Findings {
  readonly all: Finding[] = [];
  readonly checked: Looked[] = [];
  readonly unchecked: Looked[] = [];

  add(code: FindingCode, finding: Omit<Finding, "code" | "severity">): void {
    const [severity] = FINDINGS[code];
    this.all.push({ code, severity, ...finding });
  }

  /** Something was looked at; `what` says it with what was seen. */
  saw(area: string, what: string): void {
    this.checked.push({ area, what });
  }

  /** Something wasn't looked at, and why. */
  missed(area: string, what: string): void {
    this.unchecked.push({ area, what });
  }
}

/** 8 for an error, 1 for a warning, else 0. */
export function exitOfFindings(findings: readonly Finding[]): number {
  if (findings.some(({ severity }) => severity === "error")) return 8;
  return findings.some(({ severity }) => severity === "warning") ? 1 : 0;
}
