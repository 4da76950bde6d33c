/** What the words of a kubelet and its container runtime mean: containerd's, CRI-O's, Docker's and our own. */
import type { CauseCode } from "./codes.ts";

/** The first that fits counts: what lies deepest in such a text says most. */
const WORDS: readonly (readonly [RegExp, CauseCode])[] = [
  [
    /couldn't parse image name|InvalidImageName|invalid reference format|: (object required|invalid reference)$|: invalid port$/,
    "NAME_INVALID",
  ],
  [
    /short[- ]name (resolution|mode is) enforc|did not resolve to an alias and no unqualified/,
    "NAME_AMBIGUOUS",
  ],
  [/is not present with pull policy of Never|ErrImageNeverPull/, "NEVER_ABSENT"],
  // Of the kubelet's own way to its runtime, in the words of ways to registries.
  [
    /dial unix \S+|Cannot connect to the Docker daemon|error reading server preface|transport is closing|Failed to inspect image .*code = (Unavailable|DeadlineExceeded)/,
    "RUNTIME_UNAVAILABLE",
  ],
  [/pull QPS exceeded/, "PULL_QPS_EXCEEDED"],
  [
    /SignatureValidationFailed|signature validation failed|Source image rejected|signature was required/,
    "SIGNATURE_REFUSED",
  ],
  [
    /^illegal base64 data|^json: cannot unmarshal|^invalid character .* (looking for|after|in)|^unexpected end of JSON input/,
    "SECRET_BROKEN",
  ],
  [/no space left on device|disk quota exceeded/, "DISK_PRESSURE"],
  [/no processor for media-type/, "MANIFEST_UNSUPPORTED"],
  // What comes after the registry has given all.
  [
    /failed to (extract layer|register layer|unpack image on snapshotter .*(apply|mount|chown))|failed to prepare extraction snapshot|(copying system image|writing blob): .*(unpacking|adding layer|layer not known|lchown)|read-only file system|input\/output error/,
    "UNPACK_FAILED",
  ],
  // A proxy's own troubles have the words of all others in them; its refusal is told by nothing but a status' name.
  [
    /proxyconnect|Cannot reach proxy|proxy "[^"]*" answered|Proxy Authentication Required|(Get|Head|Post) "https:[^"]*": (Forbidden|Bad Gateway|Service Unavailable|Gateway Time-?out|Not Found|Bad Request)$/,
    "PROXY_FAILED",
  ],
  [
    /no such host|server misbehaving|dial tcp: lookup |no address found|Temporary failure in name resolution/,
    "DNS_FAILED",
  ],
  [/server gave HTTP response to HTTPS client|it does not speak TLS/, "HTTP_NOT_HTTPS"],
  [
    /HTTP request to an HTTPS server|malformed HTTP response "\\x15\\x03|request to http:\S+: 400 Bad Request/,
    "HTTPS_REQUIRED",
  ],
  [/unknown authority|self-signed certificate|self signed certificate/, "TLS_UNKNOWN_AUTHORITY"],
  [/has expired or is not yet valid|certificate is not valid at this time/, "TLS_EXPIRED"],
  [
    /x509: certificate is (valid for|not valid for any)|doesn't contain any IP SANs|legacy Common Name|certificate is for another name/,
    "TLS_NAME_MISMATCH",
  ],
  [/TLS handshake timeout|no TLS handshake in time/, "CONNECTION_TIMEOUT"],
  [/tls: |x509: |the handshake failed/, "TLS_FAILED"],
  [/connection refused/, "CONNECTION_REFUSED"],
  [
    // A runtime breaks off a pull that makes no progress.
    /i\/o timeout|(connection|operation) timed out|context (deadline exceeded|canceled)|Client\.Timeout exceeded|no answer in time|request canceled while waiting/,
    "CONNECTION_TIMEOUT",
  ],
  [
    /no route to (this )?host|network is unreachable|host is (down|unreachable)|cannot assign requested address/,
    "HOST_UNREACHABLE",
  ],
  [
    /connection reset by peer|broken pipe|unexpected EOF|: EOF$|the connection was cut|INTERNAL_ERROR; received|server sent GOAWAY/,
    "CONNECTION_CUT",
  ],
  [
    /no match for platform|no image found in (image index|manifest list) for|no matching manifest for|nothing for the wanted platform/,
    "PLATFORM_MISSING",
  ],
  [
    /schema 1 image manifests|is no longer supported since containerd|unsupported manifest (list )?(media|MIME) ?type|unsupported schema version|mediaType in manifest should be|unsupported image-specific operation|unknown image config media type/i,
    "MANIFEST_UNSUPPORTED",
  ],
  [
    /unexpected commit digest|Digest did not match|does not match (expected |provided manifest )?digest|(manifest|layer) verification failed|failed size validation/,
    "DIGEST_MISMATCH",
  ],
  [
    /text\/html|with an HTML page|invalid character '<' looking for|StatusCode: \d+, <(!doctype )?html/i,
    "NOT_A_REGISTRY",
  ],
  [
    /stopped after 10 redirects|malformed HTTP|reports content size of zero|: 40[05] (Bad Request|Method Not Allowed)/,
    "RESPONSE_INVALID",
  ],
  [
    /toomanyrequests|429 Too Many Requests|answered 429|reached your (unauthenticated )?pull rate limit/i,
    "RATE_LIMITED",
  ],
  [/authorization token has expired|ExpiredToken|token (is|has) expired/i, "CREDENTIAL_EXPIRED"],
  [
    /failed to fetch (oauth|anonymous) token.*: (404|5\d\d)|Cannot get a token .* answered 5\d\d|requesting bear(er)? token.* (404|5\d\d)/i,
    "TOKEN_SERVICE_FAILED",
  ],
];

/** After denials, whose addresses and texts may hold anything. */
const LATER: readonly (readonly [RegExp, CauseCode])[] = [
  [
    /: 5\d\d |answered 5\d\d|received unexpected HTTP status: 5\d\d|StatusCode: 5\d\d|because the registry is unavailable/,
    "REGISTRY_ERROR",
  ],
  [/NAME_UNKNOWN|name unknown|repository .*not known to registry|no such repository/i, "REPOSITORY_MISSING"],
  [
    /failed to copy: .*(: not found| 404 )|content descriptor sha256:[0-9a-f]+ .*not found|blob unknown|BLOB_UNKNOWN|no such content/,
    "CONTENT_MISSING",
  ],
  [/@sha\d+:[0-9a-f]+"?: (not found|.*manifest unknown)/, "DIGEST_MISSING"],
  [/: not found|manifest unknown|manifest for .* not found|no such tag or manifest/i, "TAG_MISSING"],
];

/** Who was refused, as far as the words tell. */
export type Denial =
  /** Somebody without a name. */
  | "nobody"
  /** A name or password that is wrong. */
  | "login"
  /** Somebody whose token is not for this. */
  | "scope"
  /** Whoever it was: 403. */
  | "forbidden"
  /** Somebody. */
  | "unclear";

const DENIALS: readonly (readonly [RegExp, Denial])[] = [
  [/no basic auth credentials|failed to fetch anonymous token.*: 40[13]/, "nobody"],
  [
    /incorrect username or password|invalid username\/password|: 401 Unauthorized|Cannot get a token .* answered 401|requesting bear(er)? token.* 401/i,
    "login",
  ],
  [/insufficient_scope/, "scope"],
  [
    /: 403 Forbidden|answered 403|status code from registry 403|StatusCode: 403|HTTP 403 response body|unknown: Forbidden|Permission ".*" denied/,
    "forbidden",
  ],
  [
    /pull access denied|answered 401|(?<!proxy )authentication (is )?required|denied: |unauthorized: |: (denied|unauthorized)$|may require 'docker login'|authorization failed/i,
    "unclear",
  ],
];

export function causeOfText(text: string): CauseCode | undefined {
  const first = find(WORDS, text);
  return first ?? (denialOfText(text) === undefined ? find(LATER, text) : undefined);
}

/** Undefined where a text tells of something else than a refusal. */
export function denialOfText(text: string): Denial | undefined {
  return find(WORDS, text) === undefined ? find(DENIALS, text) : undefined;
}

function find<T>(table: readonly (readonly [RegExp, T])[], text: string): T | undefined {
  return table.find(([pattern]) => pattern.test(text))?.[1];
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
  "RUNTIME_UNAVAILABLE",
  "UNPACK_FAILED",
  "NAME_AMBIGUOUS",
]);

/** What keeps a node from asking any registry. */
const BEFORE_ASKING: ReadonlySet<CauseCode> = new Set(["RUNTIME_UNAVAILABLE", "NAME_AMBIGUOUS"]);

export function isBeforeAsking(code: CauseCode): boolean {
  return BEFORE_ASKING.has(code);
}

export function dependsOnPlace(code: CauseCode): boolean {
  return LOCAL.has(code);
}

export function isNodeOnly(code: CauseCode): boolean {
  return NODE_ONLY.has(code);
}
