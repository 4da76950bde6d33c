/**
 * Speak the distribution protocol to a registry.
 *
 * ```ts
 * await using client = new RegistryClient({ hosts: new ConfiguredHosts(), env: process.env });
 * const busybox = client.repository("docker.io", "library/busybox");
 * console.log(await busybox.resolve("latest"));
 * for await (const tag of busybox.tags()) console.log(tag);
 * ```
 *
 * A question goes through these, each of which knows one kind of rule and nothing of the others:
 *
 * ```text
 * Repository ─► resolve, manifests, blobs, uploads…   what to ask, and what makes an answer believable
 *   Exchange                                          which hosts, how often, after which pause
 *     Dispatcher ─► Authorizer                        who may see a credential; redirects; http or https
 *       SocketTransport or fetchTransport             one request, one answer
 * ```
 *
 * Bytes of blobs aren't verified here: the sink that keeps them does that as they flow.
 */
export { ClientError, type ClientErrorCode, type RegistryErrorEntry } from "./errors.ts";
export { type HostCapability, type HostResolver, type RegistryHost } from "./host.ts";
export { type HttpRequest, type HttpResponse, type HttpSend, type TlsSettings } from "./http.ts";
export { type Challenge, chooseChallenge, parseChallenges } from "./challenge.ts";
export {
  containerdChallenges,
  distributionChallenges,
  ggcrChallenge,
  orasChallenge,
} from "./challenge-dialects.ts";
export {
  CATALOG_SCOPE,
  cleanActions,
  cleanScopes,
  locatorScope,
  repositoryScope,
  tokenScopes,
} from "./scope.ts";
export { realmAllowed, type RealmContext } from "./realm.ts";
export { parseWarning, ShownWarnings, warningsOf } from "./warning.ts";
export { formatRateLimit, parseRateLimit, type RateLimit } from "./rate-limit.ts";
export { sanitizeUrl } from "./sanitize-url.ts";
export { addSentSecrets } from "./sent-secrets.ts";
export { ConfiguredHosts, type HostsOptions } from "./hosts-resolver.ts";
export { type HostsTomlEntry, parseHostsToml } from "./hosts-toml.ts";
export { hostDirectories } from "./hosts-directory.ts";
export { type CertFiles, certFiles } from "./cert-files.ts";
export { criDefaultScheme, defaultHost, type DefaultHost, matchLocalhost } from "./default-host.ts";
export { type CriMirrors, criMirrorEndpoints } from "./hosts-cri-mirrors.ts";
export { hasCapability } from "./hosts-capability.ts";
export { loadTlsSettings, type TlsFiles } from "./tls-settings.ts";
export { Authorizer, type AuthorizerOptions } from "./authorizer.ts";
export { type AuthorizedRequest, type ChallengedRequest } from "./authorizer.ts";
export { type TokenOptions, tokenOptions } from "./token-options.ts";
export { describeErrorBody, type ErrorBody, readErrorBody } from "./error-body.ts";
export { type ProxyEnvironment, selectProxy } from "./proxy.ts";
export { RegistryClient, type RegistryClientOptions } from "./registry-client.ts";
export { Repository } from "./repository.ts";
export { type ManifestDocument } from "./manifests.ts";
export { type PushManifestOptions } from "./push-manifest.ts";
export { type ReferrersOptions } from "./referrers.ts";
export { type ListOptions } from "./lists.ts";
export { fallbackTag } from "./fallback-tag.ts";
export { type ClientEvent, type ClientEventListener } from "./events.ts";
export { STALL_TIMEOUT, StallError, StallGuard, type StallGuardOptions } from "./stall-guard.ts";
export { SplitBudget, type SplitOptions } from "./split-options.ts";
export { type RetryOptions, type Sleep } from "./retry.ts";
export { SocketTransport, type SocketTransportOptions } from "./socket-transport.ts";
export { fetchTransport, type Fetch } from "./fetch-transport.ts";
