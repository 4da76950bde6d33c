/** A file error as Go prints it: `open /a/b: permission denied`. Node puts the same facts in another order. */
export function goFileError(error: unknown, call: string): string {
  if (!(error instanceof Error)) return `${call}: ${String(error)}`;
  const [, cause] = /^[A-Z0-9]+: (.*?), \w+(?: '.*)?$/s.exec(error.message) ?? [];
  return `${call}: ${cause === undefined ? error.message : (CAUSES[cause] ?? cause)}`;
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** Where libuv's words aren't the system's. */
const CAUSES: Readonly<Record<string, string>> = {
  "illegal operation on a directory": "is a directory",
  "file already exists": "file exists",
  "resource busy or locked": "device or resource busy",
};
