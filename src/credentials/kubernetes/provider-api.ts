/**
 * What is said between the kubelet and an exec plugin.
 *
 * ```text
 * stdin   {"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"r.io/a"}
 * stdout  {"kind":"CredentialProviderResponse","apiVersion":"…","cacheKeyType":"Registry","cacheDuration":"6h",
 *          "auth":{"r.io":{"username":"…","password":"…"}}}
 * ```
 */
import { formatDuration, type GoDuration } from "../../internal/go/duration.ts";
import { GoError } from "../../internal/go/errors.ts";
import { goMap, goString, goStruct, goText, type GoType } from "../../internal/go/json-decode.ts";
import { encodeJson } from "../../internal/go/json-encode.ts";
import { decodeObject, interpretTypeMeta } from "../../internal/kubernetes/object-decoder.ts";
import { Secret } from "../../internal/secret.ts";
import { durationType } from "./provider-config.ts";

const GROUP = "credentialprovider.kubelet.k8s.io";

export const PROVIDER_API_V1: string = `${GROUP}/v1`;

/** In the order in which they are listed to people. */
export const PROVIDER_API_VERSIONS: readonly string[] = [
  PROVIDER_API_V1,
  `${GROUP}/v1alpha1`,
  `${GROUP}/v1beta1`,
];

export interface ProviderRequest {
  readonly image: string;
  /** Version v1 alone knows tokens and annotations. */
  readonly serviceAccountToken?: Secret | undefined;
  readonly serviceAccountAnnotations?: ReadonlyMap<string, string> | undefined;
}

export interface ProviderResponse {
  /** `Image`, `Registry` or `Global`; anything else can't be used. */
  readonly cacheKeyType: string;
  readonly cacheDuration: GoDuration | undefined;
  /** By registry key, as in a Docker document. */
  readonly auth: ReadonlyMap<string, { readonly username: string; readonly password: Secret }>;
}

/** The line a plugin reads. It holds the token. */
export function encodeProviderRequest(apiVersion: string, request: ProviderRequest): string {
  const { image, serviceAccountToken, serviceAccountAnnotations } = request;
  const v1 = apiVersion === PROVIDER_API_V1;
  const line = encodeJson({
    kind: "CredentialProviderRequest",
    apiVersion,
    image,
    serviceAccountToken: v1 ? serviceAccountToken?.reveal() || undefined : undefined,
    serviceAccountAnnotations: v1 && serviceAccountAnnotations?.size ? serviceAccountAnnotations : undefined,
  });
  return `${line}\n`;
}

/**
 * Reads what a plugin wrote, which has to be of the version it was asked in.
 *
 * @throws GoError that doesn't quote it, since it may hold secrets
 */
export function readProviderResponse(output: Uint8Array | string, apiVersion: string): ProviderResponse {
  let actual;
  try {
    actual = interpretTypeMeta(output).apiVersion;
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError(`error reading GVK from response: ${error.message}`);
  }
  if (actual !== apiVersion) {
    const both = `expected apiVersion:${apiVersion}, actual apiVersion:${actual}`;
    throw new GoError(`apiVersion from credential plugin response did not match ${both}`);
  }
  try {
    return decodeProviderResponse(output);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError("error decoding credential provider plugin response from stdout");
  }
}

/** @throws GoError, which may quote names from the document */
export function decodeProviderResponse(output: Uint8Array | string): ProviderResponse {
  return decodeObject(output, RESPONSES).value;
}

/**
 * Reads what a kubelet asks, the other side of {@link encodeProviderRequest}.
 *
 * @throws GoError
 */
export function decodeProviderRequest(
  input: Uint8Array | string,
): ProviderRequest & { readonly apiVersion: string } {
  const { meta, value } = decodeObject(input, REQUESTS);
  return { ...value, apiVersion: meta.apiVersion };
}

/** The line a plugin answers with. It holds the passwords. */
export function encodeProviderResponse(apiVersion: string, response: ProviderResponse): string {
  const { cacheKeyType, cacheDuration, auth } = response;
  const entries = [...auth].map(
    ([key, { username, password }]) => [key, { username, password: password.reveal() }] as const,
  );
  const line = encodeJson({
    kind: "CredentialProviderResponse",
    apiVersion,
    cacheKeyType,
    cacheDuration: cacheDuration === undefined ? undefined : formatDuration(cacheDuration),
    auth: auth.size === 0 ? undefined : new Map(entries),
  });
  return `${line}\n`;
}

function responseType(version: string): GoType<ProviderResponse> {
  const auth = goStruct("AuthConfig", { username: goString, password: goString }, `${version}.AuthConfig`);
  const response = goStruct(
    "CredentialProviderResponse",
    {
      kind: goString,
      apiVersion: goString,
      cacheKeyType: goText(`${version}.PluginCacheKeyType`),
      cacheDuration: durationType,
      auth: goMap(`map[string]${version}.AuthConfig`, auth),
    },
    `${version}.CredentialProviderResponse`,
  );
  return {
    name: response.name,
    zero: { cacheKeyType: "", cacheDuration: undefined, auth: new Map() },
    read(node, _previous, decoding) {
      const {
        cacheKeyType,
        cacheDuration,
        auth: entries = new Map(),
      } = response.read(node, response.zero, decoding);
      const secrets = [...entries].map(
        ([key, { username, password }]) => [key, { username, password: new Secret(password) }] as const,
      );
      return { cacheKeyType, cacheDuration, auth: new Map(secrets) };
    },
  };
}

function requestType(version: string): GoType<ProviderRequest> {
  const old = { kind: goString, apiVersion: goString, image: goString };
  const tokens = {
    serviceAccountToken: goString,
    serviceAccountAnnotations: goMap("map[string]string", goString),
  };
  const fields = version === "v1" ? { ...old, ...tokens } : old;
  const request = goStruct("CredentialProviderRequest", fields, `${version}.CredentialProviderRequest`);
  return {
    name: request.name,
    zero: { image: "" },
    read(node, _previous, decoding) {
      const read: {
        readonly image: string;
        readonly serviceAccountToken?: string;
        readonly serviceAccountAnnotations?: ReadonlyMap<string, string> | undefined;
      } = request.read(node, request.zero, decoding);
      const token = read.serviceAccountToken ?? "";
      return {
        image: read.image,
        serviceAccountToken: token === "" ? undefined : new Secret(token),
        serviceAccountAnnotations: read.serviceAccountAnnotations,
      };
    },
  };
}

const versions = ["v1", "v1alpha1", "v1beta1"] as const;

const RESPONSES = Object.fromEntries(
  versions.map((version) => [`${GROUP}/${version}`, { CredentialProviderResponse: responseType(version) }]),
);

const REQUESTS = Object.fromEntries(
  versions.map((version) => [`${GROUP}/${version}`, { CredentialProviderRequest: requestType(version) }]),
);
