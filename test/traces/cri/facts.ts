/**
 * Failures reduced to facts. The recorded words are containerd's, ours are our own, and both must tell the same: this
 * table says which words and which of our codes stand for what.
 */
import type { ConnectError } from "@connectrpc/connect";

import { CODE_TRAILER } from "../../../src/cri/index.ts";

interface Fact {
  readonly name: string;
  /** containerd's words. */
  readonly theirs: RegExp;
  /** Our code, in full. */
  readonly code: RegExp;
  /** What our sentence has to say besides. */
  readonly ours?: RegExp;
}

/** The first that fits counts. */
const FACTS: readonly Fact[] = [
  { name: "upper case in a repository's name", theirs: /must be lowercase/, code: /NAME_CONTAINS_UPPERCASE/ },
  { name: "an id for a name", theirs: /cannot specify 64-byte hex/, code: /IDENTIFIER_NOT_ALLOWED/ },
  { name: "a name too long", theirs: /must not be more than 255/, code: /NAME_TOO_LONG/ },
  {
    name: "no image reference",
    theirs: /failed to parse image reference/,
    code: /NAME_EMPTY|INVALID_FORMAT|INVALID_TAG|DIGEST_INVALID_FORMAT|DIGEST_INVALID_LENGTH|DIGEST_UNSUPPORTED/,
  },
  { name: "no such platform", theirs: /no match for platform/, code: /PLATFORM_UNKNOWN/ },
  { name: "schema 1", theirs: /schema 1/, code: /UNSUPPORTED|MANIFEST_UNSUPPORTED/, ours: /schema 1/i },
  { name: "wrong digest", theirs: /unexpected commit digest/, code: /DIGEST_INVALID/ },
  { name: "wrong size", theirs: /unexpected commit size/, code: /SIZE_INVALID/ },
  { name: "HTML for a manifest", theirs: /\(text\/html\)/, code: /RESPONSE_INVALID/, ours: /HTML/ },
  { name: "a credential that can't be read", theirs: /failed to get credentials/, code: /AUTH_INVALID/ },
  {
    name: "no credential",
    theirs: /no basic auth credentials/,
    code: /UNAUTHORIZED/,
    ours: /there are no basic auth credentials/,
  },
  {
    name: "refused",
    theirs: /: 401 Unauthorized|insufficient_scope|pull access denied/,
    code: /UNAUTHORIZED|TOKEN_FAILED/,
  },
  { name: "forbidden", theirs: /: 403 Forbidden/, code: /DENIED/ },
  { name: "too many requests", theirs: /: 429 /, code: /TOOMANYREQUESTS/ },
  { name: "connection refused", theirs: /connection refused/, code: /NETWORK_REFUSED/ },
  { name: "connection broken", theirs: /\bEOF\b|connection reset/, code: /NETWORK_RESET/ },
  { name: "no such host", theirs: /no such host/, code: /NETWORK_DNS/ },
  { name: "not found", theirs: /not found$/, code: /MANIFEST_UNKNOWN|NAME_UNKNOWN|BLOB_UNKNOWN/ },
  // … told by a page.
  { name: "not found", theirs: /not found$/, code: /RESPONSE_INVALID/, ours: /answered 404/ },
];

export function factOfRecorded(message: string): string {
  const known = FACTS.find(({ theirs }) => theirs.test(message))?.name;
  const status = /: ([45][0-9]{2}) [A-Z][A-Za-z ]*$/.exec(message)?.[1];
  return known ?? (status === undefined ? `something else: ${message}` : `status ${status}`);
}

export function factOfError(error: ConnectError): string {
  const code = error.metadata.get(CODE_TRAILER) ?? "";
  const text = error.rawMessage;
  const known = FACTS.find(
    (fact) => new RegExp(`^(?:${fact.code.source})$`).test(code) && fact.ours?.test(text) !== false,
  );
  const status = code === "STATUS_UNEXPECTED" ? /\b([45][0-9]{2})\b/.exec(text)?.[1] : undefined;
  return known?.name ?? (status === undefined ? `something else: ${code} ${text}` : `status ${status}`);
}
