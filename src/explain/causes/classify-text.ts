/** What the words of a kubelet and its container runtime mean, where nothing else can be had. */
import type { CauseCode } from "./codes.ts";

/** The first that fits counts: what lies deepest in such a text says most. */
const WORDS: readonly (readonly [RegExp, CauseCode])[] = [
  [/couldn't parse image name|InvalidImageName/, "NAME_INVALID"],
  [/is not present with pull policy of Never/, "NEVER_ABSENT"],
  [/pull QPS exceeded/, "PULL_QPS_EXCEEDED"],
  [/SignatureValidationFailed|signature validation failed/, "SIGNATURE_REFUSED"],
  [/no space left on device/, "DISK_PRESSURE"],
  [/no such host|server misbehaving/, "DNS_FAILED"],
  [/proxyconnect/, "PROXY_FAILED"],
  [/connection refused/, "CONNECTION_REFUSED"],
  [/i\/o timeout|context deadline exceeded|TLS handshake timeout/, "CONNECTION_TIMEOUT"],
  [/no route to host|network is unreachable/, "HOST_UNREACHABLE"],
  [/server gave HTTP response to HTTPS client/, "HTTP_NOT_HTTPS"],
  [/HTTP request to an HTTPS server/, "HTTPS_REQUIRED"],
  [/unknown authority|self-signed certificate/, "TLS_UNKNOWN_AUTHORITY"],
  [/has expired or is not yet valid/, "TLS_EXPIRED"],
  [/x509: certificate is (valid for|not valid for any)|doesn't contain any IP SANs/, "TLS_NAME_MISMATCH"],
  [/connection reset by peer|broken pipe|unexpected EOF|: EOF$/, "CONNECTION_CUT"],
  [/tls: |x509: /, "TLS_FAILED"],
  [/no match for platform/, "PLATFORM_MISSING"],
  [/schema 1 image manifests/, "MANIFEST_UNSUPPORTED"],
  [/unexpected commit digest|failed size validation/, "DIGEST_MISMATCH"],
  [/text\/html/, "NOT_A_REGISTRY"],
  [/toomanyrequests|429 Too Many Requests/, "RATE_LIMITED"],
  [/authorization token has expired|ExpiredToken/, "CREDENTIAL_EXPIRED"],
  [/failed to fetch (oauth|anonymous) token.*: 5\d\d/, "TOKEN_SERVICE_FAILED"],
  [/: 401 Unauthorized|incorrect username or password/, "CREDENTIAL_REFUSED"],
  [/: 403 Forbidden/, "SCOPE_SHORT"],
  [/no basic auth credentials|insufficient_scope|pull access denied/, "NO_CREDENTIALS"],
  [/: 5\d\d /, "REGISTRY_ERROR"],
  [/@sha256:[0-9a-f]+: not found/, "DIGEST_MISSING"],
  [/: not found/, "TAG_MISSING"],
];

export function causeOfText(text: string): CauseCode | undefined {
  return WORDS.find(([pattern]) => pattern.test(text))?.[1];
}

/** What depends on where one stands: another machine's answer isn't the node's. */
const LOCAL: ReadonlySet<CauseCode> = new Set([
  "DNS_FAILED",
  "PROXY_FAILED",
  "CONNECTION_REFUSED",
  "CONNECTION_TIMEOUT",
  "HOST_UNREACHABLE",
  "CONNECTION_CUT",
  "HTTP_NOT_HTTPS",
  "HTTPS_REQUIRED",
  "TLS_UNKNOWN_AUTHORITY",
  "TLS_EXPIRED",
  "TLS_NAME_MISMATCH",
  "TLS_FAILED",
  "NOT_A_REGISTRY",
]);

/** What a node alone can say. */
const NODE_ONLY: ReadonlySet<CauseCode> = new Set([
  "PULL_QPS_EXCEEDED",
  "SIGNATURE_REFUSED",
  "DISK_PRESSURE",
]);

export function dependsOnPlace(code: CauseCode): boolean {
  return LOCAL.has(code);
}

export function isNodeOnly(code: CauseCode): boolean {
  return NODE_ONLY.has(code);
}
