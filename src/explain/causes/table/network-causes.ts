import type { Cause } from "../cause.ts";

export type NetworkCauseCode =
  | "DNS_FAILED"
  | "CONNECTION_REFUSED"
  | "CONNECTION_TIMEOUT"
  | "CONNECTION_CUT"
  | "HOST_UNREACHABLE"
  | "TLS_UNKNOWN_AUTHORITY"
  | "TLS_NAME_MISMATCH"
  | "TLS_EXPIRED"
  | "TLS_FAILED"
  | "HTTP_NOT_HTTPS"
  | "HTTPS_REQUIRED"
  | "PROXY_FAILED"
  | "NOT_A_REGISTRY"
  | "RATE_LIMITED"
  | "REGISTRY_ERROR"
  | "RESPONSE_INVALID"
  | "TOKEN_SERVICE_FAILED"
  | "MIRROR_MISCONFIGURED"
  | "MIRROR_FAILED";

/** Reaching a registry, and what it says of itself. */
export const NETWORK_CAUSES: Readonly<Record<NetworkCauseCode, Cause>> = {
  DNS_FAILED: {
    title: "The registry's name has no address",
    exit: 5,
    symptoms: [
      'ErrImagePull: failed to do request: Head "https://registry.example.com/v2/…": dial tcp: lookup registry.example.com on 10.0.0.2:53: no such host',
    ],
    story:
      "The name can't be resolved: misspelled, or only known to a resolver that is not asked. Nodes use their own resolver, not the cluster's, so names of Services (`registry.kube-system.svc`) don't work in image names.",
    see: "On the node: `getent hosts REGISTRY`.",
    fix: "Correct the name, or make it known to the nodes' resolver. For a registry in the cluster use an address that nodes can reach.",
    example: "dns-failed",
  },
  CONNECTION_REFUSED: {
    title: "Nothing listens at the registry's address",
    exit: 5,
    symptoms: ["ErrImagePull: dial tcp 10.0.0.9:5000: connect: connection refused"],
    story:
      "The host is there and refuses the port: the registry is down, or listens on another port. `localhost` in an image name is the node itself.",
    see: "On the node: `curl -v https://REGISTRY/v2/`.",
    fix: "Start the registry, or correct the port in the image's name.",
    example: "connection-refused",
  },
  CONNECTION_TIMEOUT: {
    title: "The registry doesn't answer in time",
    exit: 5,
    symptoms: ["ErrImagePull: dial tcp 10.0.0.9:443: i/o timeout", "context deadline exceeded"],
    story:
      "Packets go out and nothing comes back: a firewall that drops them, a route to nowhere, or a registry that is overwhelmed.",
    see: "On the node: `curl -v --max-time 10 https://REGISTRY/v2/`.",
    fix: "Open the way from the nodes to the registry, or set the proxy they need for the container runtime.",
    example: "connection-timeout",
  },
  CONNECTION_CUT: {
    title: "The connection to the registry breaks",
    exit: 5,
    symptoms: ["ErrImagePull: read: connection reset by peer", "ErrImagePull: EOF"],
    story:
      "Somebody ends the connection before an answer: a firewall that inspects, a load balancer without a backend, a registry that crashes.",
    see: "On the node: `curl -v https://REGISTRY/v2/`.",
    fix: "See to what is between the nodes and the registry, then to the registry's own log.",
    example: "connection-cut",
  },
  HOST_UNREACHABLE: {
    title: "There is no way to the registry",
    exit: 5,
    symptoms: ["ErrImagePull: dial tcp 10.9.0.1:443: connect: no route to host"],
    story: "The network says that it has no route to the address.",
    see: "On the node: `ip route get ADDRESS`.",
    fix: "Mend the route, or reach the registry by another address.",
    example: "host-unreachable",
  },
  TLS_UNKNOWN_AUTHORITY: {
    title: "The registry's certificate is signed by an authority nobody here knows",
    exit: 5,
    symptoms: [
      "ErrImagePull: tls: failed to verify certificate: x509: certificate signed by unknown authority",
    ],
    story:
      "The certificate comes from a private authority, is signed by itself, or the server doesn't send the certificates in between. Or a proxy in the middle shows its own.",
    see: "`openssl s_client -connect REGISTRY:443 -showcerts`",
    fix: "Put the authority's certificate where the container runtime looks: `ca` in `hosts.toml`, or the node's system store.",
    example: "tls-unknown-authority",
  },
  TLS_NAME_MISMATCH: {
    title: "The registry's certificate is for another name",
    exit: 5,
    symptoms: ["ErrImagePull: x509: certificate is valid for registry.internal, not registry.example.com"],
    story:
      "The name in the image isn't among the names of the certificate; common names alone have long not counted.",
    see: "`openssl s_client -connect REGISTRY:443 | openssl x509 -noout -ext subjectAltName`",
    fix: "Use the name that the certificate has, or have one made with this name.",
    example: "tls-name-mismatch",
  },
  TLS_EXPIRED: {
    title: "The registry's certificate is over, or not valid yet",
    exit: 5,
    symptoms: ["ErrImagePull: x509: certificate has expired or is not yet valid"],
    story: "The certificate's dates don't include now; or the node's clock is wrong.",
    see: "`openssl s_client -connect REGISTRY:443 | openssl x509 -noout -dates`, and `date` on the node.",
    fix: "Renew the certificate, or set the clock.",
    example: "tls-expired",
  },
  TLS_FAILED: {
    title: "The registry and the node agree on no way to speak TLS",
    exit: 5,
    symptoms: ["ErrImagePull: remote error: tls: handshake failure"],
    story: "No common version or cipher, or the server demands a client certificate.",
    see: "`openssl s_client -connect REGISTRY:443`",
    fix: "Bring the registry's TLS up to date, or give the runtime a client certificate in `hosts.toml` (`client`).",
    example: "tls-failed",
  },
  HTTP_NOT_HTTPS: {
    title: "The registry speaks plain HTTP, and is asked over HTTPS",
    exit: 5,
    symptoms: ["ErrImagePull: http: server gave HTTP response to HTTPS client"],
    story:
      "Registries are spoken to over HTTPS unless they are on the same machine or somebody configured otherwise.",
    see: "`curl http://REGISTRY/v2/` answers.",
    fix: 'Give the registry a certificate; or say `server = "http://…"` in its `hosts.toml` on every node, if the network can be trusted.',
    example: "http-not-https",
  },
  HTTPS_REQUIRED: {
    title: "The registry speaks HTTPS, and is asked over plain HTTP",
    exit: 5,
    symptoms: [
      "ErrImagePull: unexpected status: 400 Bad Request: Client sent an HTTP request to an HTTPS server.",
    ],
    story: "`hosts.toml` says `http://` for a port where the registry speaks TLS.",
    see: "The explanation's hosts show the scheme.",
    fix: "Write `https://` in `hosts.toml`.",
    example: "https-required",
  },
  PROXY_FAILED: {
    title: "The proxy doesn't let the request through",
    exit: 5,
    symptoms: ["ErrImagePull: proxyconnect tcp: dial tcp 10.0.0.5:3128: connect: connection refused"],
    story: "A proxy is set for this registry and is down, refuses the host, or wants a login.",
    see: "`HTTPS_PROXY` and `NO_PROXY` of the container runtime's service.",
    fix: "Correct the proxy, or add the registry to `NO_PROXY`, and restart the runtime.",
    example: "proxy-failed",
  },
  NOT_A_REGISTRY: {
    title: "Something answers, and it is no registry",
    exit: 7,
    symptoms: [
      "ErrImagePull: could not fetch content descriptor sha256:… (text/html) from remote: not found",
    ],
    story:
      "The answer is a web page: a login portal, a proxy's error page, a web server at the registry's address.",
    see: "`curl -i https://REGISTRY/v2/` should answer 200 or 401 with JSON.",
    fix: "Correct the registry's name or port; take the portal out of the way.",
    example: "not-a-registry",
  },
  RATE_LIMITED: {
    title: "The registry has had enough of us",
    exit: 7,
    symptoms: ["ErrImagePull: 429 Too Many Requests: toomanyrequests: You have reached your pull rate limit"],
    story:
      "Registries count pulls by account, or by address where nobody logs in; all nodes behind one address share its limit.",
    see: "The explanation shows limit, what is left, and when to come again, where the registry says so.",
    fix: "Log in (a pull secret counts against the account instead of the address), put a mirror in front, or wait.",
    example: "rate-limited",
  },
  REGISTRY_ERROR: {
    title: "The registry fails",
    exit: 7,
    symptoms: [
      "ErrImagePull: unexpected status from HEAD request: 500 Internal Server Error",
      "503 Service Unavailable",
    ],
    story:
      "The registry, its storage or what stands in front of it answers with an error of its own. Nothing is wrong with the Pod.",
    see: "The registry's status page or log.",
    fix: "Wait or have it mended; a mirror bridges the time.",
    example: "registry-error",
  },
  RESPONSE_INVALID: {
    title: "The registry's answer can't be understood",
    exit: 7,
    symptoms: ["ErrImagePull: unexpected status from HEAD request"],
    story:
      "Something answers like a registry and then not: a status nobody knows, a challenge without a realm, a redirect in circles or to a place that isn't safe.",
    see: "The exchanges in the explanation.",
    fix: "See to the registry's version and to gateways in front of it.",
    example: "response-invalid",
  },
  TOKEN_SERVICE_FAILED: {
    title: "The registry's token service can't be used",
    exit: 7,
    symptoms: [
      "ErrImagePull: failed to authorize: failed to fetch oauth token: unexpected status: 500 Internal Server Error",
    ],
    story:
      "The registry sends to a token service, and that one fails or isn't a safe place to show a password to; the registry itself works.",
    see: "The token exchange in the explanation.",
    fix: "See to the token service; its address comes from the registry's configuration.",
    example: "token-service-failed",
  },
  MIRROR_MISCONFIGURED: {
    title: "A mirror's configuration doesn't do what it says",
    exit: 8,
    symptoms: ["invalid `host` tree"],
    story:
      "`hosts.toml` can't be read, names a host without `https://`, or leaves no host that may resolve tags. What can't be read is left out, and the registry itself is asked.",
    see: "`/etc/containerd/certs.d/REGISTRY/hosts.toml` on the node.",
    fix: "Correct the file; see [mirrors](../guides/mirrors.md).",
    example: "mirror-misconfigured",
  },
  MIRROR_FAILED: {
    title: "A mirror fails, and the registry is asked instead",
    exit: 0,
    symptoms: [],
    story:
      "A host of `hosts.toml` that comes before the registry didn't answer as it should. The image still comes or fails by what the next one says, only later.",
    see: "The exchanges in the explanation.",
    fix: "Mend the mirror, or take it out of `hosts.toml`.",
    example: "mirror-failed",
  },
};
