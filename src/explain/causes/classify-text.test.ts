import assert from "node:assert/strict";
import { test } from "node:test";

import { causeOfText, denialOfText } from "./classify-text.ts";

const HEAD =
  "failed to resolve image: unexpected status from HEAD request to https://r.example/v2/a/manifests/1";
const DIALS = 'failed to do request: Head "https://r.example/v2/a/manifests/1": ';

const CAUSES: readonly (readonly [string, string])[] = [
  // containerd
  [`${HEAD}: 500 Internal Server Error`, "REGISTRY_ERROR"],
  [`${HEAD}: 429 Too Many Requests`, "RATE_LIMITED"],
  ["failed to resolve image: r.example/a:1: not found", "TAG_MISSING"],
  [`failed to resolve image: r.example/a@sha256:${"1".repeat(64)}: not found`, "DIGEST_MISSING"],
  [`${DIALS}dial tcp: lookup r.example on 10.0.0.2:53: no such host`, "DNS_FAILED"],
  [
    `${DIALS}dial tcp: lookup r.example on 10.0.0.2:53: read udp 10.0.0.3:4->10.0.0.2:53: i/o timeout`,
    "DNS_FAILED",
  ],
  [`${DIALS}dial tcp 192.0.2.1:443: i/o timeout`, "CONNECTION_TIMEOUT"],
  [`${DIALS}dial tcp 192.0.2.1:443: connect: connection timed out`, "CONNECTION_TIMEOUT"],
  [`${DIALS}net/http: TLS handshake timeout`, "CONNECTION_TIMEOUT"],
  [`${DIALS}dial tcp 192.0.2.1:443: connect: no route to host`, "HOST_UNREACHABLE"],
  [`${DIALS}proxyconnect tcp: dial tcp: lookup proxy on 10.0.0.2:53: no such host`, "PROXY_FAILED"],
  [
    `${DIALS}tls: failed to verify certificate: x509: certificate signed by unknown authority`,
    "TLS_UNKNOWN_AUTHORITY",
  ],
  [
    `${DIALS}tls: failed to verify certificate: x509: certificate is valid for a, not r.example`,
    "TLS_NAME_MISMATCH",
  ],
  [
    `${DIALS}x509: cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs`,
    "TLS_NAME_MISMATCH",
  ],
  [`${DIALS}x509: certificate has expired or is not yet valid: current time 2026`, "TLS_EXPIRED"],
  [`${DIALS}http: server gave HTTP response to HTTPS client`, "HTTP_NOT_HTTPS"],
  [`${DIALS}EOF`, "CONNECTION_CUT"],
  [
    "failed to fetch oauth token: unexpected status from POST request to https://t/token: 503 Service Unavailable",
    "TOKEN_SERVICE_FAILED",
  ],
  ["no match for platform in manifest: not found", "PLATFORM_MISSING"],
  ["failed to extract layer sha256:1: write /x: no space left on device", "DISK_PRESSURE"],
  [
    "failed to copy: httpReadSeeker: failed open: could not fetch content descriptor sha256:1 (application/vnd.oci.image.layer.v1.tar+gzip) from remote: not found",
    "CONTENT_MISSING",
  ],
  [`${DIALS}Forbidden`, "PROXY_FAILED"],
  [`${DIALS}Proxy Authentication Required`, "PROXY_FAILED"],
  [`${DIALS}dial tcp 192.0.2.1:443: connect: host is down`, "HOST_UNREACHABLE"],
  [`${DIALS}http2: server sent GOAWAY and closed the connection; LastStreamID=1`, "CONNECTION_CUT"],
  [
    `${DIALS}net/http: HTTP/1.x transport connection broken: malformed HTTP status code "x"`,
    "RESPONSE_INVALID",
  ],
  ['Get "https://r.example/v2/": stopped after 10 redirects', "RESPONSE_INVALID"],
  [`${HEAD}: 400 Bad Request`, "RESPONSE_INVALID"],
  [`${HEAD.replace("https:", "http:")}: 400 Bad Request`, "HTTPS_REQUIRED"],
  ['failed to pull and unpack image "r.example/a:1": context canceled', "CONNECTION_TIMEOUT"],
  [
    "failed to fetch anonymous token: unexpected status from GET request to https://t/token: 404 Not Found",
    "TOKEN_SERVICE_FAILED",
  ],
  [
    'media type "application/vnd.docker.distribution.manifest.v1+prettyjws" is no longer supported since containerd v2.1, please rebuild the image: not implemented',
    "MANIFEST_UNSUPPORTED",
  ],
  ["unknown image config media type application/vnd.cncf.helm.config.v1+json", "MANIFEST_UNSUPPORTED"],
  [
    "failed to extract layer sha256:1: failed to get stream processor for application/vnd.oci.image.layer.v1.tar+gzip+encrypted: no processor for media-type: unknown",
    "MANIFEST_UNSUPPORTED",
  ],
  [
    "unable to fetch descriptor (sha256:1) which reports content size of zero: invalid argument",
    "RESPONSE_INVALID",
  ],
  [
    'failed to extract layer sha256:1: mount callback failed on /m: failed to Lchown "/x" for UID 1000000 GID 1000000: lchown /x: invalid argument: unknown',
    "UNPACK_FAILED",
  ],
  ["failed to extract layer sha256:1: unexpected EOF: unknown", "UNPACK_FAILED"],
  [
    'failed to prepare extraction snapshot "extract-1 sha256:1": parent snapshot sha256:2 does not exist: not found',
    "UNPACK_FAILED",
  ],
  // CRI-O
  ["reading manifest 1 in r.example/a: StatusCode: 404, <html><head>", "NOT_A_REGISTRY"],
  ["pinging container registry r.example: StatusCode: 503, upstream", "REGISTRY_ERROR"],
  ["Requesting bearer token: invalid status code from registry 404 (Not Found)", "TOKEN_SERVICE_FAILED"],
  ["Manifest does not match provided manifest digest sha256:1", "DIGEST_MISMATCH"],
  ["short name mode is enforcing, but image name a:1 returns ambiguous list", "NAME_AMBIGUOUS"],
  ["short-name resolution enforced but cannot prompt without a TTY", "NAME_AMBIGUOUS"],
  ["reading manifest 1 in r.example/a: manifest unknown", "TAG_MISSING"],
  [
    "reading manifest 1 in r.example/a: name unknown: repository name not known to registry",
    "REPOSITORY_MISSING",
  ],
  [
    'choosing image instance: no image found in image index for architecture "arm64", variant "v8", OS "linux"',
    "PLATFORM_MISSING",
  ],
  [
    'pinging container registry r.example: Get "https://r.example/v2/": dial tcp 192.0.2.1:443: connect: connection refused',
    "CONNECTION_REFUSED",
  ],
  [
    "reading manifest 1 in docker.io/library/a: toomanyrequests: You have reached your unauthenticated pull rate limit.",
    "RATE_LIMITED",
  ],
  ["Source image rejected: A signature was required, but no signature exists", "SIGNATURE_REFUSED"],
  // Docker
  ["filesystem layer verification failed for digest sha256:1", "DIGEST_MISMATCH"],
  ["failed to register layer: lchown /x: operation not permitted", "UNPACK_FAILED"],
  [
    'Get "https://r.example/v2/": dial tcp: lookup r.example: Temporary failure in name resolution',
    "DNS_FAILED",
  ],
  // the kubelet
  [
    'connection error: desc = "transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: connection refused"',
    "RUNTIME_UNAVAILABLE",
  ],
  [
    'Failed to inspect image "a:1": rpc error: code = DeadlineExceeded desc = context deadline exceeded',
    "RUNTIME_UNAVAILABLE",
  ],
  ["image pull failed for r.example/a:1 because the registry is unavailable: no words", "REGISTRY_ERROR"],
  ["illegal base64 data at input byte 0", "SECRET_BROKEN"],
  ["pull QPS exceeded", "PULL_QPS_EXCEEDED"],
  [
    'couldn\'t parse image name "A": invalid reference format: repository name must be lowercase',
    "NAME_INVALID",
  ],
  // ours
  [
    'Cannot read manifest "1" of "r.example/a": HEAD https://r.example/v2/a/manifests/1 answered 404, no such tag or manifest there',
    "TAG_MISSING",
  ],
  [
    'Cannot read manifest "1" of "r.example/a": HEAD https://r.example/v2/a/manifests/1 answered 502',
    "REGISTRY_ERROR",
  ],
  ['Cannot reach "r.example:443": connection refused', "CONNECTION_REFUSED"],
  ['Cannot reach "r.example:443": it does not speak TLS', "HTTP_NOT_HTTPS"],
  ['Cannot reach "r.example:443": its certificate is for another name', "TLS_NAME_MISMATCH"],
  [
    'Cannot choose from index "sha256:1": nothing for the wanted platform; it has linux/arm64',
    "PLATFORM_MISSING",
  ],
];

const DENIALS: readonly (readonly [string, string])[] = [
  [
    "pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
    "nobody",
  ],
  [
    "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=x: 401 Unauthorized",
    "nobody",
  ],
  [
    "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=x: 403 Forbidden",
    "nobody",
  ],
  [
    "failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://t/token: 401 Unauthorized",
    "login",
  ],
  [`${HEAD}: 401 Unauthorized`, "login"],
  [`${HEAD}: 403 Forbidden`, "forbidden"],
  [
    "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
    "scope",
  ],
  [
    "unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password",
    "login",
  ],
  ["Requesting bearer token: invalid status code from registry 403 (Forbidden)", "forbidden"],
  [
    "reading manifest 1 in quay.io/a/b: unauthorized: access to the requested resource is not authorized",
    "unclear",
  ],
  ["denied: requested access to the resource is denied", "unclear"],
  ['Error response from daemon: Head "https://ghcr.io/v2/a/b/manifests/1": denied', "unclear"],
  ['Error response from daemon: Head "https://ghcr.io/v2/a/b/manifests/1": unauthorized', "unclear"],
  ["unknown: Authentication is required", "unclear"],
  ["httpReadSeeker: failed open: server message: invalid_token: authorization failed", "unclear"],
  ["error parsing HTTP 403 response body: no error details found in HTTP response body", "forbidden"],
  ['fetching blob: StatusCode: 403, <?xml version="1.0"?><Error><Code>AccessDenied</Code>', "forbidden"],
  ["unknown: Forbidden", "forbidden"],
  ["Requesting bearer token: invalid status code from registry 401 (Unauthorized)", "login"],
  [
    'Cannot read manifest "1" of "r.example/a": HEAD https://r.example/v2/a/manifests/1 answered 401, log in, or check that the repository exists',
    "unclear",
  ],
];

test("causeOfText() knows the words of runtimes", () => {
  for (const [text, code] of CAUSES) assert.equal(causeOfText(text), code, text);
  assert.equal(causeOfText("something else altogether"), undefined);
});

test("denialOfText() tells who was refused, and nothing of other troubles", () => {
  for (const [text, who] of DENIALS) {
    assert.equal(denialOfText(text), who, text);
    assert.equal(causeOfText(text), undefined, text);
  }
  for (const [text] of CAUSES) assert.equal(denialOfText(text), undefined, text);
});
