/** The distribution protocol's error codes and their one body, shared by client and server. */

/** What each code is answered with. */
export const ERROR_STATUS = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DENIED: 403,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  MANIFEST_UNVERIFIED: 400,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  SIZE_INVALID: 400,
  TAG_INVALID: 400,
  TOOMANYREQUESTS: 429,
  UNAUTHORIZED: 401,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
  UNSUPPORTED: 405,
} as const;

export type DistributionErrorCode = keyof typeof ERROR_STATUS;

/** One entry of an error body. Servers send codes of their own, too, so a read code is any text. */
export interface DistributionError {
  readonly code: string;
  readonly message: string;
  readonly detail?: unknown;
}

/** At most this many entries of a body are read; nobody reads more. */
const MAX_ENTRIES = 100;

export function isDistributionErrorCode(code: string): code is DistributionErrorCode {
  return Object.hasOwn(ERROR_STATUS, code);
}

/** The status a code is answered with; 500 for one that isn't the protocol's. */
export function errorStatus(code: string): number {
  return isDistributionErrorCode(code) ? ERROR_STATUS[code] : 500;
}

/** The JSON text of an error answer. */
export function formatErrorBody(errors: readonly DistributionError[]): string {
  return JSON.stringify({ errors });
}

/**
 * Reads an error answer, however wrong its shape: what isn't an entry is left out, and a body that isn't an error
 * body (HTML of a proxy, nothing) has none. Also reads the token services' single object with `code` and `message`
 * or `details`, and OAuth's `error` with `error_description`.
 */
export function parseErrorBody(body: string): readonly DistributionError[] {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return [];
  }
  if (!isObject(document)) return [];
  const entries: readonly unknown[] = Array.isArray(document["errors"]) ? document["errors"] : [document];
  return entries.slice(0, MAX_ENTRIES).flatMap(readEntry);
}

function readEntry(entry: unknown): DistributionError[] {
  if (typeof entry === "string") return entry === "" ? [] : [{ code: "UNKNOWN", message: entry }];
  if (!isObject(entry)) return [];
  const code = textOf(entry["code"]) ?? textOf(entry["error"]);
  const message = textOf(entry["message"]) ?? textOf(entry["error_description"]) ?? textOf(entry["details"]);
  if (code === undefined && message === undefined) return [];
  const detail = entry["detail"];
  return [
    {
      code: code ?? "UNKNOWN",
      message: message ?? "",
      ...(detail !== undefined && detail !== null && { detail }),
    },
  ];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
