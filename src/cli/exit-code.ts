/** What the process says to the shell, from the code of the error that ended it. The one table; help prints it. */
import { DrayError } from "../errors.ts";

export const EXIT_CODES = [
  { code: 0, summary: "It worked" },
  { code: 1, summary: "It failed, or dray up --once found an image that can't come" },
  { code: 2, summary: "The command line is wrong" },
  { code: 3, summary: "No such image, tag, repository, platform or content" },
  { code: 4, summary: "The registry wants another login, or refuses this one" },
  { code: 5, summary: "The registry cannot be reached: name, network, TLS or proxy" },
  { code: 6, summary: "Content is not what its name promises: wrong digest, size or format" },
  { code: 7, summary: "The registry answered with an error or asked to wait, and kept to it" },
  { code: 8, summary: "A file, folder, port, store, helper or setting of this machine cannot be used" },
  { code: 70, summary: "A defect in dray" },
  { code: 130, summary: "Interrupted by Ctrl-C (143 by SIGTERM, 141 when the reader of a pipe went away)" },
] as const;

/** Error codes of all rooms, by the exit code they end in. */
const BY_EXIT: Readonly<Record<number, string>> = {
  2: `
    USAGE PLATFORM_INVALID HOSTS_INVALID COPY_INVALID NOTHING_TO_STORE NAME_EMPTY INVALID_FORMAT
    NAME_CONTAINS_UPPERCASE NAME_TOO_LONG NAME_NOT_CANONICAL IDENTIFIER_NOT_ALLOWED INVALID_TAG
    INVALID_DIGEST_FORMAT DIGEST_INVALID_FORMAT DIGEST_INVALID_LENGTH DIGEST_UNSUPPORTED BAD_PATTERN
    HOSTNAME_REQUIRED INVALID REFERENCE_INVALID REFERENCE_AMBIGUOUS IMAGE_NAME_INVALID
    TENANT_INVALID POLICY_UNKNOWN ALLOWLIST_PATTERN_INVALID GC_POLICY_INVALID CONFIGURATION_INVALID SETTINGS_INVALID
    IMAGE_AMBIGUOUS
  `,
  3: `
    NAME_UNKNOWN MANIFEST_UNKNOWN BLOB_UNKNOWN PLATFORM_UNKNOWN REFERENCE_UNKNOWN IMAGE_NOT_FOUND
    ACCOUNT_UNKNOWN TENANT_UNKNOWN NAMESPACE_UNKNOWN BASE_INVALID
  `,
  4: "UNAUTHORIZED DENIED TOKEN_FAILED REGISTRY_MISMATCH",
  5: `
    NETWORK_DNS NETWORK_REFUSED NETWORK_RESET NETWORK_TIMEOUT NETWORK_UNREACHABLE TLS_UNKNOWN_AUTHORITY
    TLS_NAME_MISMATCH TLS_EXPIRED TLS_NOT_SPOKEN TLS_FAILED PROXY_FAILED UPSTREAM_UNREACHABLE
  `,
  6: "DIGEST_INVALID SIZE_INVALID MANIFEST_INVALID MANIFEST_UNSUPPORTED ARCHIVE_INVALID ARCHIVE_UNSUPPORTED IMAGE_INVALID LIMIT_EXCEEDED",
  7: `
    TOOMANYREQUESTS STATUS_UNEXPECTED RESPONSE_INVALID CHALLENGE_INVALID REALM_REFUSED REDIRECT_REFUSED
    UNSUPPORTED UPSTREAM_INVALID PULL_QPS_EXCEEDED PULL_FAILED IMAGE_STATUS_INVALID
    PULL_STALLED PULL_OVERDUE SERVICE_FAILED
  `,
  8: `
    ARCHIVE_UNKNOWN CONTEXT_UNKNOWN CONTEXT_UNREADABLE CONTEXT_CHANGED UNREADABLE UNWRITABLE NO_SPACE BUSY
    INGEST_BUSY INGEST_INVALID CLOSED DATABASE_NEWER DATABASE_BUSY DATABASE_DAMAGED DATABASE_FULL
    DATABASE_UNAVAILABLE ADDRESS_IN_USE ADDRESS_UNAVAILABLE TLS_INVALID CONFIG_INVALID CONFIG_UNREADABLE
    CONFIG_UNWRITABLE AUTH_INVALID HELPER_MISSING HELPER_FAILED RECORD_UNREADABLE RECORD_UNWRITABLE
    GC_FAILED PROVIDER_INVALID PROVIDER_FAILED EXTENSION_INVALID NODE_CONFIG_INVALID STATUS_UNKNOWN
    ACCOUNT_EXISTS ACCOUNT_ENDED NOTIFICATION_FAILED TENANT_EXISTS TENANT_BUSY TENANT_HOLDS_IMAGES SECRET_TAKEN CLUSTER_UNKNOWN KEY_INVALID WEBHOOK_UNAVAILABLE
    ENDPOINT_UNKNOWN PIN_UNSUPPORTED BUDGET_EXCEEDED SOCKET_IN_USE SOCKET_UNUSABLE FOLDER_OCCUPIED FOLDER_UNSUITABLE LEFT_OUT
    CONTAINERD_UNAVAILABLE CONTAINERD_FAILED
  `,
};

const BY_CODE: ReadonlyMap<string, number> = new Map(
  Object.entries(BY_EXIT).flatMap(([exit, codes]) => {
    return codes
      .trim()
      .split(/\s+/)
      .map((code): [string, number] => [code, Number(exit)]);
  }),
);

/** File system faults, which Node reports under their own codes. */
const SYSTEM = /^E(?:NOENT|ACCES|PERM|EXIST|NOSPC|ROFS|ISDIR|NOTDIR|MFILE|NAMETOOLONG|LOOP|DQUOT|FBIG|IO)$/;

export function exitCodeOf(error: unknown): number {
  if (error instanceof DrayError) return BY_CODE.get(error.code) ?? 1;
  return isSystemError(error) ? 8 : 70;
}

/** Whether Node reports a fault of the machine's files rather than one of ours. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && SYSTEM.test(error.code)
  );
}
