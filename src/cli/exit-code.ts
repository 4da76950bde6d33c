/** What the process says to the shell, from the code of the error that ended it. The one table; help prints it. */
import { DrayError } from "../errors.ts";

export const EXIT_CODES = [
  { code: 0, summary: "It worked" },
  { code: 1, summary: "It failed in a way that has no code of its own" },
  { code: 2, summary: "The command line is wrong" },
  { code: 3, summary: "No such image, tag, repository or content" },
  { code: 4, summary: "The registry wants another login, or refuses this one" },
  { code: 5, summary: "The registry cannot be reached: name, network, TLS or proxy" },
  { code: 6, summary: "Content is not what its name promises: wrong digest, size or format" },
  { code: 7, summary: "The registry answered with an error or asked to wait, and kept to it" },
  { code: 8, summary: "A file, folder, port or store here cannot be used" },
  { code: 70, summary: "A defect in dray" },
  { code: 130, summary: "Interrupted by Ctrl-C (143 by SIGTERM, 141 when the reader of a pipe went away)" },
] as const;

const BY_CODE: Readonly<Record<string, number>> = {
  USAGE: 2,
  NAME_EMPTY: 2,
  INVALID_FORMAT: 2,
  NAME_CONTAINS_UPPERCASE: 2,
  NAME_TOO_LONG: 2,
  IDENTIFIER_NOT_ALLOWED: 2,
  INVALID_TAG: 2,
  INVALID_DIGEST_FORMAT: 2,
  DIGEST_INVALID_FORMAT: 2,
  DIGEST_INVALID_LENGTH: 2,
  DIGEST_UNSUPPORTED: 2,
  PLATFORM_INVALID: 2,
  HOSTS_INVALID: 2,

  NAME_UNKNOWN: 3,
  MANIFEST_UNKNOWN: 3,
  BLOB_UNKNOWN: 3,
  PLATFORM_UNKNOWN: 3,
  IMAGE_NOT_FOUND: 3,

  UNAUTHORIZED: 4,
  DENIED: 4,
  TOKEN_FAILED: 4,
  CREDENTIAL_REFUSED: 4,

  PROXY_FAILED: 5,

  DIGEST_INVALID: 6,
  SIZE_INVALID: 6,
  MANIFEST_INVALID: 6,
  MANIFEST_UNSUPPORTED: 6,
  ARCHIVE_INVALID: 6,

  TOOMANYREQUESTS: 7,
  STATUS_UNEXPECTED: 7,
  RESPONSE_INVALID: 7,
  CHALLENGE_INVALID: 7,
  REALM_REFUSED: 7,
  REDIRECT_REFUSED: 7,
  UNSUPPORTED: 7,

  PORT_TAKEN: 8,
  FILE_FAILED: 8,
  INGEST_BUSY: 8,
  NO_SPACE: 8,
  UNWRITABLE: 8,
  UNREADABLE: 8,
};

/** File system faults, which Node reports under their own codes. */
const SYSTEM = /^E(?:NOENT|ACCES|PERM|EXIST|NOSPC|ROFS|ISDIR|NOTDIR|MFILE|NAMETOOLONG|LOOP|DQUOT|FBIG|IO)$/;

export function exitCodeOf(error: unknown): number {
  if (error instanceof DrayError) {
    const code = error.code;
    if (code.startsWith("NETWORK_") || code.startsWith("TLS_")) return 5;
    return BY_CODE[code] ?? 1;
  }
  return isSystemError(error) ? 8 : 70;
}

/** Whether Node reports a fault of the machine's files rather than one of ours. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && SYSTEM.test(error.code)
  );
}
