import {
  type CredentialProviderConfig,
  type ProviderConfig,
  Secret,
  type TokenAttributes,
  validateProviderConfig,
  validationMessage,
} from "../../../src/credentials/index.ts";
import { parseDuration } from "../../../src/internal/go/duration.ts";
import type { Topic } from "../topic.ts";

type Plain = Readonly<Record<string, unknown>>;

export const topic: Topic = {
  check(vector) {
    const { providers } = vector["config"] as { readonly providers?: readonly Plain[] | null };
    const config: CredentialProviderConfig = { providers: (providers ?? []).map((one) => toProvider(one)) };
    const serviceAccountTokens = vector["serviceAccountTokenGateEnabled"] === true;
    return {
      actual: validationMessage(validateProviderConfig(config, { serviceAccountTokens })),
      expected: vector["error"],
    };
  },
};

function toProvider(given: Plain): ProviderConfig {
  const duration = given["defaultCacheDuration"] as string | null | undefined;
  const env = given["env"] as readonly { readonly name: string; readonly value: string }[] | undefined;
  const tokens = given["tokenAttributes"] as Partial<TokenAttributes> | null | undefined;
  return {
    name: (given["name"] ?? "") as string,
    apiVersion: (given["apiVersion"] ?? "") as string,
    matchImages: (given["matchImages"] ?? undefined) as readonly string[] | undefined,
    defaultCacheDuration: typeof duration === "string" ? parseDuration(duration) : undefined,
    args: given["args"] as readonly string[] | undefined,
    env: env?.map(({ name, value }) => ({ name, value: new Secret(value) })),
    tokenAttributes: tokens ? toAttributes(tokens) : undefined,
  };
}

function toAttributes(given: Partial<TokenAttributes>): TokenAttributes {
  return {
    serviceAccountTokenAudience: given.serviceAccountTokenAudience ?? "",
    cacheType: given.cacheType ?? "",
    requireServiceAccount: given.requireServiceAccount ?? undefined,
    requiredServiceAccountAnnotationKeys: given.requiredServiceAccountAnnotationKeys,
    optionalServiceAccountAnnotationKeys: given.optionalServiceAccountAnnotationKeys,
  };
}
