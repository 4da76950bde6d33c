/**
 * Who are we to this repository? Credentials from Docker's and Podman's files, from credential helpers, or given
 * beforehand; and logging in and out of registries.
 *
 * ```ts
 * import { DockerConfigSource } from "dray/credentials";
 *
 * const source = new DockerConfigSource({ env: process.env, home: "/home/me" });
 * const [candidate] = await source.find({ host: "ghcr.io", repository: "team/app" });
 * console.log(candidate === undefined ? "anonymous" : candidate.origin.label);
 * ```
 *
 * The file is the first that exists of `$DOCKER_CONFIG/config.json` (default `~/.docker`), `$REGISTRY_AUTH_FILE`,
 * `$XDG_RUNTIME_DIR/containers/auth.json`, and `$XDG_CONFIG_HOME/containers/auth.json` (default `~/.config`). In it, a
 * registry's helper comes before `credsStore`, and that before `auths`, where the entry for `host/a/b` comes before
 * `host/a` and that before `host`. No file or no entry is anonymous; a file that can't be read is an error.
 *
 * Under `kubernetes/` stands how a node finds them instead, to the letter: keyrings of a Pod's Secrets, then the node's
 * files, then exec credential providers, where every entry that matches is tried in turn.
 *
 * ```ts
 * import { decodeDocument, Keyring } from "dray/credentials";
 *
 * const keyring = new Keyring();
 * const document = decodeDocument('{"*.registry.io/team":{"username":"me","password":"hush"}}', "dockercfg");
 * keyring.add(document, { kind: "file", label: "/var/lib/kubelet/.dockercfg" });
 * keyring.lookup("eu.registry.io/team/app").credentials[0]?.origin.label; // …, auths["*.registry.io/team"]
 * ```
 */
export { type Credential, type CredentialCandidate, type CredentialOrigin } from "./credential.ts";
export { type CredentialSource, type CredentialTarget } from "./credential.ts";
export { Secret } from "../internal/secret.ts";
export { CredentialsError, type CredentialsErrorCode } from "./errors.ts";
export { type CredentialEnvironment, configCandidates } from "./config-location.ts";
export { type DockerConfigOptions, DockerConfigSource } from "./docker-config-source.ts";
export { ChainSource, StaticSource } from "./static-source.ts";
export { login, type LoginOptions, logout } from "./login.ts";
export { CredentialHelper, type HelperOptions } from "./credential-helper.ts";
export { runProgram, type ProgramResult, type RunProgram } from "./run-program.ts";
export { criAuth, type CriAuthConfig, type UserSecret } from "./cri-auth.ts";
export { type AuthConfig, encodeAuthConfig, hashAuthConfig } from "./kubernetes/auth-config.ts";
export { isDefaultRegistry } from "./kubernetes/default-registry.ts";
export { decodeDocument, type DockerDocument, type DockerFormat } from "./kubernetes/docker-document.ts";
export { readDocument } from "./kubernetes/docker-document.ts";
export { decodeAuth, type DockerEntry, encodeEntry, readEntry } from "./kubernetes/docker-entry.ts";
export { type ImageKeyring, Keyring, type KeyringAnswer, keyOf } from "./kubernetes/keyring.ts";
export { type KeyVerdict, type LookupExplanation, type LookupOptions } from "./kubernetes/keyring.ts";
export { UnionKeyring } from "./kubernetes/keyring.ts";
export { KeyringSource } from "./kubernetes/keyring-source.ts";
export { NodeFilesProvider, type NodePlaces, type NodeSearch } from "./kubernetes/node-files.ts";
export { type ReadFile, type SearchedFile, searchNodeFiles } from "./kubernetes/node-files.ts";
export { CachingProvider, type DocumentProvider } from "./kubernetes/providers-keyring.ts";
export { type ProvidedDocument, ProvidersKeyring } from "./kubernetes/providers-keyring.ts";
export { type CollectedSecrets, collectPullSecrets, judgeSecret } from "./kubernetes/pull-secrets.ts";
export { explainPullSecrets, type PullSecret, secretsKeyring } from "./kubernetes/pull-secrets.ts";
export { type ExplainedSecret, type SecretVerdict } from "./kubernetes/pull-secrets.ts";
export { type Coordinates, type CredentialOwner } from "./kubernetes/tracked-credential.ts";
export { type DocumentOrigin, toCandidate, type TrackedCredential } from "./kubernetes/tracked-credential.ts";
export { findMismatch, matchesImage, type MatchTarget } from "./kubernetes/url-match.ts";
export { type Mismatch, parseTarget } from "./kubernetes/url-match.ts";
export { decodeProviderRequest, decodeProviderResponse } from "./kubernetes/provider-api.ts";
export { encodeProviderRequest, encodeProviderResponse } from "./kubernetes/provider-api.ts";
export { PROVIDER_API_V1, PROVIDER_API_VERSIONS } from "./kubernetes/provider-api.ts";
export { type ProviderRequest, type ProviderResponse } from "./kubernetes/provider-api.ts";
export { readProviderResponse } from "./kubernetes/provider-api.ts";
export { type CredentialProviderConfig, decodeProviderConfig } from "./kubernetes/provider-config.ts";
export { type ProviderConfig, type TokenAttributes } from "./kubernetes/provider-config.ts";
export { type ProviderConfigFiles, readProviderConfig } from "./kubernetes/provider-config-files.ts";
export { validateProviderConfig, validationMessage } from "./kubernetes/provider-config-validation.ts";
export { type ValidationOptions } from "./kubernetes/provider-config-validation.ts";
export { cacheKey, flightKey, hashToken, registryOf, serviceAccountKey } from "./kubernetes/cache-key.ts";
export { type BinaryKey, type ServiceAccountKeyParts } from "./kubernetes/cache-key.ts";
export { CredentialProviders, PodProvidersKeyring } from "./kubernetes/credential-providers.ts";
export { type CredentialProvidersOptions } from "./kubernetes/credential-providers.ts";
export { type CredentialPlugin, ExecPlugin } from "./kubernetes/exec-plugin.ts";
export { type ExecPluginOptions, type PluginRun } from "./kubernetes/exec-plugin.ts";
export { formatLogEntry, type LogEntry } from "./kubernetes/log-entry.ts";
export { type ImageCredentialProvider, PluginProvider } from "./kubernetes/plugin-provider.ts";
export { type PluginProviderOptions, type Provision } from "./kubernetes/plugin-provider.ts";
export { type ProvisionReason } from "./kubernetes/plugin-provider.ts";
export { ProviderCache } from "./kubernetes/provider-cache.ts";
export { mergeEnvironment, toEnvironment } from "./kubernetes/provider-environment.ts";
export { AnnotationMissingError, type PodIdentity } from "./kubernetes/service-accounts.ts";
export { type ServiceAccount, type ServiceAccounts } from "./kubernetes/service-accounts.ts";
export { type ServiceAccountTokenRequest, type TokenMode } from "./kubernetes/service-accounts.ts";
export { standaloneServiceAccounts, tokenModeOf } from "./kubernetes/service-accounts.ts";
export { type CreateCredentialSource, type ExtensionCredential } from "./extension.ts";
export { type ExtensionOptions, type ExtensionSource, loadExtension } from "./extension.ts";
export { type AnswerOptions, answerProviderRequest } from "./kubernetes/answer-request.ts";
export { registerCredentialProviders } from "./kubernetes/register-providers.ts";
export { type RegisteredProviders, type RegistrationOptions } from "./kubernetes/register-providers.ts";
export { CachingServiceAccounts, type IssuedToken } from "./kubernetes/token-cache.ts";
export { type TokenCacheOptions, type TokenIssuer } from "./kubernetes/token-cache.ts";
