import { formatDuration } from "../../internal/go/duration.ts";
import { GoError } from "../../internal/go/errors.ts";
import { parseUrl } from "../../internal/go/url.ts";
import { compareBytes } from "../../internal/go/utf8.ts";
import {
  aggregate,
  duplicateField,
  type FieldError,
  forbiddenField,
  invalidField,
  requiredField,
  unsupportedField,
} from "../../internal/kubernetes/field-error.ts";
import { qualifiedNameFaults } from "../../internal/kubernetes/qualified-name.ts";
import { PROVIDER_API_VERSIONS, PROVIDER_API_V1 } from "./provider-api.ts";
import type { CredentialProviderConfig, ProviderConfig, TokenAttributes } from "./provider-config.ts";

export interface ValidationOptions {
  /** The gate KubeletServiceAccountTokenForCredentialProviders; on by default. */
  readonly serviceAccountTokens?: boolean | undefined;
}

const TOKENS = "providers.tokenAttributes";
const CACHE_TYPES: readonly string[] = ["ServiceAccount", "Token"];

/** Everything that is wrong, in the kubelet's order. Fields aren't numbered, as it doesn't. */
export function validateProviderConfig(
  { providers }: CredentialProviderConfig,
  options: ValidationOptions = {},
): readonly FieldError[] {
  if (providers.length === 0) {
    return [requiredField("providers", "at least 1 item in plugins is required")];
  }
  const names = new Set<string>();
  return providers.flatMap((provider) => {
    const duplicate = names.has(provider.name);
    names.add(provider.name);
    return [
      ...nameErrors(provider.name, duplicate),
      ...ownErrors(provider),
      ...tokenErrors(provider, options.serviceAccountTokens ?? true),
    ];
  });
}

/** The errors as the one sentence the kubelet ends with. */
export function validationMessage(errors: readonly FieldError[]): string {
  return errors.length === 0 ? "" : aggregate(errors.map(({ message }) => message));
}

function nameErrors(name: string, duplicate: boolean): FieldError[] {
  const faults = [
    name.includes("/") && "provider name cannot contain '/'",
    name.includes(" ") && "provider name cannot contain spaces",
    name === "." && "provider name cannot be '.'",
    name === ".." && "provider name cannot be '..'",
  ];
  const errors = faults
    .flatMap((fault) => fault || [])
    .map((fault) => invalidField("providers.name", name, fault));
  return duplicate ? [...errors, duplicateField("providers.name", name)] : errors;
}

function ownErrors({ apiVersion, matchImages = [], defaultCacheDuration }: ProviderConfig): FieldError[] {
  const errors: FieldError[] = [];
  if (apiVersion === "") errors.push(requiredField("providers.apiVersion"));
  else if (!PROVIDER_API_VERSIONS.includes(apiVersion)) {
    errors.push(unsupportedField("providers.apiVersion", apiVersion, PROVIDER_API_VERSIONS));
  }
  if (matchImages.length === 0) {
    errors.push(requiredField("providers.matchImages", "at least 1 item in matchImages is required"));
  }
  for (const image of matchImages) {
    const fault = urlFault(image);
    if (fault !== undefined) {
      errors.push(invalidField("providers.matchImages", image, `match image is invalid: ${fault}`));
    }
  }
  if (defaultCacheDuration === undefined) errors.push(requiredField("providers.defaultCacheDuration"));
  else if (defaultCacheDuration < 0n) {
    const value = formatDuration(defaultCacheDuration);
    errors.push(invalidField("providers.defaultCacheDuration", value, "must be greater than or equal to 0"));
  }
  return errors;
}

function tokenErrors({ apiVersion, tokenAttributes }: ProviderConfig, gate: boolean): FieldError[] {
  if (tokenAttributes === undefined) return [];
  const errors: FieldError[] = [];
  if (!gate) {
    const why =
      "not supported when KubeletServiceAccountTokenForCredentialProviders feature gate is disabled";
    errors.push(forbiddenField(TOKENS, `tokenAttributes is ${why}`));
  }
  if (tokenAttributes.serviceAccountTokenAudience === "") {
    errors.push(requiredField(`${TOKENS}.serviceAccountTokenAudience`));
  }
  if (tokenAttributes.requireServiceAccount === undefined) {
    errors.push(requiredField(`${TOKENS}.requireServiceAccount`));
  }
  if (apiVersion !== PROVIDER_API_V1) {
    const why = `only supported for ${PROVIDER_API_V1} API version`;
    errors.push(forbiddenField(TOKENS, `tokenAttributes is ${why}`));
  }
  return [...errors, ...annotationErrors(tokenAttributes), ...cacheTypeErrors(tokenAttributes.cacheType)];
}

function annotationErrors(attributes: TokenAttributes): FieldError[] {
  const required = attributes.requiredServiceAccountAnnotationKeys ?? [];
  const optional = attributes.optionalServiceAccountAnnotationKeys ?? [];
  const errors: FieldError[] = [];
  if (attributes.requireServiceAccount === false && required.length > 0) {
    const why = "requireServiceAccount cannot be false when requiredServiceAccountAnnotationKeys is set";
    errors.push(forbiddenField(`${TOKENS}.requiredServiceAccountAnnotationKeys`, why));
  }
  errors.push(...keyErrors(`${TOKENS}.requiredServiceAccountAnnotationKeys`, required));
  errors.push(...keyErrors(`${TOKENS}.optionalServiceAccountAnnotationKeys`, optional));
  const common = [...new Set(required).intersection(new Set(optional))].toSorted(compareBytes);
  if (common.length > 0) {
    errors.push(invalidField(TOKENS, common, "annotation keys cannot be both required and optional"));
  }
  return errors;
}

function keyErrors(field: string, keys: readonly string[]): FieldError[] {
  const seen = new Set<string>();
  return keys.flatMap((key) => {
    const errors = qualifiedNameFaults(key.toLowerCase()).map((fault) => invalidField(field, key, fault));
    if (seen.has(key)) errors.push(duplicateField(field, key));
    seen.add(key);
    return errors;
  });
}

function cacheTypeErrors(cacheType: string): FieldError[] {
  const field = `${TOKENS}.cacheType`;
  if (cacheType === "") {
    const supported = `Supported values are: ${CACHE_TYPES.join(", ")}`;
    return [
      requiredField(field, `cacheType is required to be set when tokenAttributes is specified. ${supported}`),
    ];
  }
  return CACHE_TYPES.includes(cacheType) ? [] : [unsupportedField(field, cacheType, CACHE_TYPES)];
}

function urlFault(image: string): string | undefined {
  try {
    parseUrl(`https://${image}`);
    return undefined;
  } catch (error) {
    if (error instanceof GoError) return error.message;
    throw error;
  }
}
