/**
 * Which exec plugins give credentials for which images.
 *
 * ```yaml
 * apiVersion: kubelet.config.k8s.io/v1      # or v1beta1, v1alpha1: the same without tokenAttributes
 * kind: CredentialProviderConfig
 * providers:
 *   - name: ecr-credential-provider          # the program's name
 *     matchImages: ["*.dkr.ecr.*.amazonaws.com"]
 *     defaultCacheDuration: 12h
 *     apiVersion: credentialprovider.kubelet.k8s.io/v1
 *     args: [get-credentials]
 *     env: [{ name: AWS_PROFILE, value: pull }]
 *     tokenAttributes: { serviceAccountTokenAudience: registry, cacheType: Token, requireServiceAccount: true }
 * ```
 */
import { type GoDuration, parseDuration } from "../../internal/go/duration.ts";
import { GoError } from "../../internal/go/errors.ts";
import {
  decodeNode,
  goBool,
  goCustom,
  goPointer,
  goSlice,
  goString,
  goStruct,
  goText,
  type GoType,
  type GoValue,
} from "../../internal/go/json-decode.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { decodeObject } from "../../internal/kubernetes/object-decoder.ts";
import { Secret } from "../../internal/secret.ts";

export interface TokenAttributes {
  readonly serviceAccountTokenAudience: string;
  /** `Token` or `ServiceAccount`, once validated. */
  readonly cacheType: string;
  readonly requireServiceAccount: boolean | undefined;
  readonly requiredServiceAccountAnnotationKeys: readonly string[] | undefined;
  readonly optionalServiceAccountAnnotationKeys: readonly string[] | undefined;
}

/** Lists are undefined when the document doesn't have them. */
export interface ProviderConfig {
  readonly name: string;
  readonly matchImages: readonly string[] | undefined;
  readonly defaultCacheDuration: GoDuration | undefined;
  readonly apiVersion: string;
  readonly args: readonly string[] | undefined;
  readonly env: readonly { readonly name: string; readonly value: Secret }[] | undefined;
  readonly tokenAttributes: TokenAttributes | undefined;
}

export interface CredentialProviderConfig {
  readonly providers: readonly ProviderConfig[];
}

/** As it stands in documents; `null` leaves the pointer empty. */
export const durationType: GoType<GoDuration | undefined> = goPointer(
  goCustom("v1.Duration", 0n, (node) => parseDuration(decodeNode(node, goString))),
);

const strings = goSlice("[]string", goString);

function configType(version: string, withTokens: boolean): GoType<CredentialProviderConfig> {
  const variable = goStruct("ExecEnvVar", { name: goString, value: goString }, `${version}.ExecEnvVar`);
  const attributes = goStruct(
    "ServiceAccountTokenAttributes",
    {
      serviceAccountTokenAudience: goString,
      cacheType: goText(`${version}.ServiceAccountTokenCacheType`),
      requireServiceAccount: goPointer(goBool),
      requiredServiceAccountAnnotationKeys: strings,
      optionalServiceAccountAnnotationKeys: strings,
    },
    `${version}.ServiceAccountTokenAttributes`,
  );
  const common = {
    name: goString,
    matchImages: strings,
    defaultCacheDuration: durationType,
    apiVersion: goString,
    args: strings,
    env: goSlice(`[]${version}.ExecEnvVar`, variable),
  };
  const fields = withTokens ? { ...common, tokenAttributes: goPointer(attributes) } : common;
  const provider = goStruct("CredentialProvider", fields, `${version}.CredentialProvider`);
  const config = goStruct(
    "CredentialProviderConfig",
    { kind: goString, apiVersion: goString, providers: goSlice(`[]${version}.CredentialProvider`, provider) },
    `${version}.CredentialProviderConfig`,
  );
  return {
    name: config.name,
    zero: { providers: [] },
    read(node, _previous, decoding) {
      const { providers = [] } = config.read(node, config.zero, decoding);
      return { providers: providers.map((one) => toProvider(one)) };
    },
  };

  function toProvider(
    read: GoValue<typeof provider> & { readonly tokenAttributes?: TokenAttributes | undefined },
  ): ProviderConfig {
    const env = read.env?.map(({ name, value }) => ({ name, value: new Secret(value) }));
    return { ...read, env, tokenAttributes: read.tokenAttributes };
  }
}

const GROUP = "kubelet.config.k8s.io";
const KIND = "CredentialProviderConfig";

/** Kinds the kubelet knows besides the one it wants here; it says so. */
const strange: GoType<undefined> = { name: "", zero: undefined, read: () => undefined };
const RECORDS = { ImagePullIntent: strange, ImagePulledRecord: strange };

const SCHEME = {
  [`${GROUP}/v1`]: { [KIND]: configType("v1", true) },
  [`${GROUP}/v1beta1`]: {
    [KIND]: configType("v1beta1", false),
    KubeletConfiguration: strange,
    SerializedNodeConfigSource: strange,
    ...RECORDS,
  },
  [`${GROUP}/v1alpha1`]: { [KIND]: configType("v1alpha1", false), ...RECORDS },
};

/**
 * Decodes one document, strictly.
 *
 * @throws GoError in the kubelet's words
 */
export function decodeProviderConfig(data: Uint8Array | string): CredentialProviderConfig {
  const { meta, value } = decodeObject<CredentialProviderConfig | undefined>(data, SCHEME);
  if (value === undefined) throw new GoError(`failed to decode ${goQuote(meta.kind)} (wrong Kind)`);
  return value;
}
